//! Texts of every kind: what people send, and what nobody would.

use serde_json::{Value, json};

use crate::support::random::Random;

/// What people send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    English,
    Code,
    Chinese,
    Json,
}

const ENGLISH: &str = concat!(include_str!("../../docs/redis.md"), include_str!("../../docs/clients.md"), include_str!("../../README.md"));
const CODE: &str = concat!(include_str!("../../src/money.rs"), include_str!("../../src/proxy/rolling.rs"), include_str!("../support/client.rs"));
/// Chinese and Japanese, as in instructions, news and tales.
const CHINESE: &str = "请根据下面的会议记录写一份摘要，列出所有的决定和负责人，并用表格说明每项任务的截止日期。上周五，市政府宣布将在三年内把公共交通的票价降低百分之二十，\
以鼓励市民减少开车。专家认为，这项措施的效果取决于班次是否足够密集。我家门前有两棵树，一棵是枣树，另一棵也是枣树。这段代码在数据量较大时会变得很慢，请帮我找出原因并给出优化方案。\
数据库的索引没有建立在经常查询的字段上，因此每次查询都要扫描整张表。次の文章を読んで、筆者の主張を三つの点にまとめてください。また、それぞれの根拠となる文を引用してください。\
春はあけぼの。やうやう白くなりゆく山ぎは、すこしあかりて、紫だちたる雲のほそくたなびきたる。この度は弊社のサービスをご利用いただき、誠にありがとうございます。ご不明な点がございましたら、\
お気軽にお問い合わせください。吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。价格为每月¥128.50，优惠期到2026年12月31日为止。";

/// A text of one kind, of about so many characters.
pub(super) fn of(kind: Kind, length: usize, random: &mut Random) -> String {
    match kind {
        Kind::English => part(ENGLISH, length, random),
        Kind::Code => part(CODE, length, random),
        Kind::Chinese => part(CHINESE, length / 3, random),
        Kind::Json => {
            let mut rows = Vec::new();
            while Value::from(rows.clone()).to_string().len() < length {
                rows.push(row(random));
            }
            if random.below(2) == 0 { Value::from(rows).to_string() } else { serde_json::to_string_pretty(&rows).unwrap() }
        }
    }
}

fn row(random: &mut Random) -> Value {
    const WORDS: [&str; 8] = ["invoice", "customer", "pending", "Springfield", "blue widget", "user@example.com", "2026-11-03T09:15:00Z", "n/a"];
    let mut word = || WORDS[usize::try_from(random.below(8)).unwrap()];
    let (status, name, note) = (word(), word(), word());
    json!({"id": random.below(1_000_000), "status": status, "name": name, "total": random.below(100_000) as f64 / 100.0, "tags": [note], "active": random.below(2) == 0, "parent": null})
}

/// A part of a text, or all of it several times over.
fn part(text: &str, length: usize, random: &mut Random) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = usize::try_from(random.below(characters.len() as u64)).unwrap();
    characters.iter().cycle().skip(start).take(length.max(1)).collect()
}

/// What nobody would send: whatever may be counted wrongly.
pub(super) fn any(random: &mut Random) -> String {
    let most = 1 << random.below(11);
    let length = usize::try_from(random.below(most)).unwrap();
    match random.below(14) {
        0 => String::new(),
        1 => of(Kind::English, length, random),
        2 => of(Kind::Code, length, random),
        3 => of(Kind::Chinese, length, random),
        4 => of(Kind::Json, length, random),
        5 => " ".repeat(length),
        6 => "\n \t".repeat(length / 3),
        7 => "a".repeat(length),
        8 => (0..length).map(|_| char::from(b'0' + u8::try_from(random.below(10)).unwrap())).collect(),
        9 => (0..length).map(|_| char::from(b'!' + u8::try_from(random.below(94)).unwrap())).collect(),
        10 => (0..length).map(|_| char::from_u32(u32::try_from(random.below(0x11_0000)).unwrap()).unwrap_or(' ')).collect(),
        11 => (0..length).map(|_| ["<|endoftext|>", "<|im_start|>", "<|", "a", " x", "|>"][usize::try_from(random.below(6)).unwrap()]).collect(),
        12 => (0..length).map(|_| ["\"", "\\", "\u{1}", "\u{7f}", "é", "👩‍👩‍👧", "'s", "ß"][usize::try_from(random.below(8)).unwrap()]).collect(),
        _ => (0..length).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap())).collect(),
    }
}
