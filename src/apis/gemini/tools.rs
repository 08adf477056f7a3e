//! What a request's tools cost: those that the client runs are text; those that run at the provider bring input that the request does not show,
//! and searches.
//!
//! The prompt is billed once, and what tools bring on top of it (Google's guide "Code execution": "You're only billed once for the input tokens you
//! pass to the model"; `toolUsePromptTokenCount`). All of it together fits into the model's context window, which is the bound.

use super::names::{elements, members, refused, unknown};
use super::scan::Scan;
use super::schema;
use crate::apis::AskError;
use crate::apis::json::{Kind, Scanner};

/// What the provider adds to explain tools to the model.
const TOOLS_TOKENS: u64 = 1_024;
/// The functions that the provider itself declares for the use of a computer.
const COMPUTER_TOKENS: u64 = 16_384;

/// What has been found.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The model may search the web.
    pub(super) search: bool,
    /// Some tool runs at the provider.
    pub(super) at_provider: bool,
}

/// Reads the tools.
pub(super) fn read(scanner: &mut Scanner<'_>, body: &[u8], scan: &mut Scan) -> Result<Tools, AskError> {
    let mut tools = Tools::default();
    scanner.kind()?;
    let start = scanner.position();
    elements(scanner, |scanner| tool(scanner, body, scan, &mut tools))?;
    scan.special_tokens = scan.special_tokens.saturating_add(TOOLS_TOKENS);
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    scan.unseen |= tools.at_provider;
    Ok(tools)
}

fn tool(scanner: &mut Scanner<'_>, body: &[u8], scan: &mut Scan, tools: &mut Tools) -> Result<(), AskError> {
    members(scanner, "tools", |scanner, name, _| {
        if scanner.kind()? == Kind::Null {
            return scanner.skip().map_err(AskError::from);
        }
        match name {
            "functionDeclarations" => return elements(scanner, |scanner| declaration(scanner, body, scan)),
            "googleSearch" | "googleSearchRetrieval" => (tools.search, tools.at_provider) = (true, true),
            "urlContext" => tools.at_provider = true,
            "computerUse" => scan.adds(COMPUTER_TOKENS),
            "codeExecution" => return Err(refused(name, "what the code prints is billed as output, and maxOutputTokens does not limit it")),
            "googleMaps" => return Err(refused(name, "prompts that are grounded so have a price of their own, which the price book does not know")),
            "fileSearch" => return Err(refused(name, "stores of files belong to the provider's account, which all tokens share")),
            "mcpServers" => return Err(refused(name, "tools of MCP servers run at the provider, and how often and on what cannot be bounded")),
            "enterpriseWebSearch" | "retrieval" | "parallelAiSearch" | "exaAiSearch" => return Err(refused(name, "it is Vertex AI's, at a price of its own")),
            other => return Err(unknown("tools", other)),
        }
        scanner.skip().map_err(AskError::from)
    })
}

fn declaration(scanner: &mut Scanner<'_>, body: &[u8], scan: &mut Scan) -> Result<(), AskError> {
    members(scanner, "functionDeclarations", |scanner, name, _| match name {
        "name" | "description" | "behavior" => scanner.skip().map_err(AskError::from),
        "parameters" | "parametersJsonSchema" | "response" | "responseJsonSchema" => schema::count(scanner, body, scan),
        other => Err(unknown("functionDeclarations", other)),
    })
}
