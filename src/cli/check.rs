//! `spendgate check`: validates settings, routes and prices, and prints the route table.

use std::process::ExitCode;

use crate::config::{ConfigFiles, Configuration, Environment, RoutePrice, Settings, SettingsArgs};
use crate::diagnostic::Diagnostic;
use crate::prices::Margin;
use crate::{admin, server, tls};

use super::Output;

/// Checks, and prints what is wrong or the route table.
///
/// # Errors
/// When standard output is closed.
pub(super) fn run(args: &SettingsArgs) -> anyhow::Result<ExitCode> {
    let settings = match Settings::load(args) {
        Ok(settings) => settings,
        Err(errors) => return Ok(super::say_diagnostics(&errors)),
    };
    let mut errors: Vec<Diagnostic> = server::main_key(&Environment::process()).err().into_iter().collect();
    if let Some(files) = &settings.tls
        && let Err(error) = tls::ServerTls::load(files.clone())
    {
        errors.push(Diagnostic::whole_file("SPENDGATE_TLS_CERT, SPENDGATE_TLS_KEY", format!("{error:#}")));
    }
    let configuration = match ConfigFiles::new(&settings, Environment::process()).load() {
        Ok(configuration) if errors.is_empty() => configuration,
        Ok(_) => return Ok(super::say_diagnostics(&errors)),
        Err(found) => {
            errors.extend(found);
            return Ok(super::say_diagnostics(&errors));
        }
    };
    let mut lines = vec![table(&configuration)];
    for path in &configuration.builtin {
        lines.push(format!("{} is missing: the one built into the binary is used", path.display()));
    }
    for upstream in configuration.routes.upstreams() {
        if let Some(variable) = upstream.off() {
            lines.push(format!("upstream '{}' is off: {variable} is not set; its routes serve sandbox tokens only", upstream.name));
        }
    }
    for route in configuration.routes.all() {
        let pattern = route.path.pattern();
        if admin::owns(pattern.trim_end_matches('*').trim_end_matches('/')) {
            lines.push(format!("the route '{pattern}' is never asked: the gateway's own API has these paths"));
        }
    }
    if configuration.routes.all().is_empty() {
        lines.push("there are no routes: every request is answered with 404".to_owned());
    }
    lines.push(format!(
        "{} routes, {} models priced (price book {}): all right",
        configuration.routes.all().len(),
        configuration.prices.models_count(),
        configuration.prices.version()
    ));
    Ok(Output::of(lines.join("\n")).print()?)
}

fn table(configuration: &Configuration) -> String {
    let mut table = super::usage::plain_table();
    table.set_header(["PATH", "API", "UPSTREAM", "MODELS", "PRICE"]);
    for route in configuration.routes.all() {
        let price = match &route.price {
            None if route.api.sellers().is_empty() => format!("price book: {}", route.upstream.provider),
            None => format!("price book: {} and its sellers", route.upstream.provider),
            Some(RoutePrice::PerRequest(cost)) => format!("${} a request", cost.to_short_string()),
            Some(RoutePrice::Units(_)) => "by unit, on the route".to_owned(),
            Some(RoutePrice::ReportedJson { pointer, hold }) => format!("as reported at {pointer}, holding ${}", hold.to_short_string()),
            Some(RoutePrice::ReportedHeader { name, hold }) => format!("as reported in {name}, holding ${}", hold.to_short_string()),
            Some(RoutePrice::Free) => "free".to_owned(),
        };
        let price = if route.margin == Margin::NONE { price } else { format!("{price}, times {}", route.margin) };
        let models = route.models.as_ref().map_or_else(|| "all priced".to_owned(), |models| models.join(", "));
        table.add_row([route.path.pattern().to_owned(), route.api.name().to_owned(), route.upstream.name.clone(), models, price]);
    }
    table.trim_fmt()
}
