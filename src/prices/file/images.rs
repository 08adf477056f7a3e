//! Reads `images`: one amount for every image, or a list of amounts by size and quality.

use toml::de::DeValue;

use super::entries::amount;
use super::reader::{Reader, Value};
use crate::prices::images::{ImagePrice, ImageWord};
use crate::prices::keys::PriceKey;

const WANTED: &str = "images must be an amount as a string, for example \"0.04\", or a list: [{ size = \"1024x1024\", quality = \"hd\", price = \"0.08\" }]";

/// Its prices. None where one of them is wrong.
pub(super) fn read(reader: &mut Reader<'_>, key: PriceKey, value: &Value<'_>) -> Option<Vec<ImagePrice>> {
    let list = match value.get_ref() {
        DeValue::Array(list) if !list.is_empty() => list,
        DeValue::Array(_) | DeValue::Table(_) => {
            reader.error(value.span(), WANTED);
            return None;
        }
        _ => return amount(reader, key, value).map(|rate| vec![ImagePrice::of_any(rate)]),
    };
    // Read all, so that every error is told.
    let prices: Vec<Option<ImagePrice>> = list.iter().map(|item| price(reader, key, item)).collect();
    let prices: Vec<ImagePrice> = prices.into_iter().collect::<Option<_>>()?;
    let mut right = true;
    for (number, (price, item)) in prices.iter().zip(list).enumerate() {
        if prices.iter().take(number).any(|other| (other.size, other.quality) == (price.size, price.quality)) {
            reader.error(item.span(), "images of this size and quality have a price above already");
            right = false;
        }
    }
    right.then_some(prices)
}

/// `{ size = "1024x1024", quality = "hd", price = "0.08" }`; a size or quality that is left out is any.
fn price(reader: &mut Reader<'_>, key: PriceKey, value: &Value<'_>) -> Option<ImagePrice> {
    let DeValue::Table(table) = value.get_ref() else {
        reader.error(value.span(), WANTED);
        return None;
    };
    reader.known_keys(table, "a price of images", &["size", "quality", "price"]);
    let rate = match table.get("price") {
        Some(price) => amount(reader, key, price),
        None => {
            reader.error(value.span(), "has no price");
            None
        }
    };
    let size = table.get("size").map(|size| word(reader, size));
    let quality = table.get("quality").map(|quality| word(reader, quality));
    Some(ImagePrice { rate: rate?, size: size.map_or(Some(None), |size| size.map(Some))?, quality: quality.map_or(Some(None), |word| word.map(Some))? })
}

/// The name of a size or a quality. `auto` is none: what the provider chooses has the price of what it chose.
fn word(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<ImageWord> {
    let text = reader.string(value, "a string")?;
    let word = if text == "auto" { None } else { ImageWord::new(text) };
    if word.is_none() {
        reader.error(value.span(), "must be the name of a size or a quality, at most 16 bytes; leave it out where the price is for any");
    }
    word
}
