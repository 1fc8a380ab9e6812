//! A Slack message stays within the limits of Block Kit, whatever the diagnosis holds.

use proptest::prelude::*;
use proptest::sample::Index;
use reports::Guide;
use serde_json::Value;

use crate::given::{book, cases, diagnosed, matches};
use crate::{hostile, huge};

proptest! {
    #![proptest_config(cases(128))]

    /// Feature: deployment-infrastructure-reliability, Property 14: a Slack message is within every limit of Slack
    #[test]
    fn a_message_is_within_the_limits(
        sample in any::<Index>(),
        texts in prop::collection::vec(prop_oneof![hostile::text(), huge::text()], 1..6),
        copies in 0usize..80,
    ) {
        let (_, sample) = sample.get(matches());
        let mut diagnosis = diagnosed(sample.source, &sample.text);
        huge::grow(&mut diagnosis, copies);
        hostile::fill(&mut diagnosis, &texts);
        is_within_limits(&reports::slack::payload(&Guide::new(&diagnosis, book()))).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn a_healthy_and_an_empty_diagnosis_make_messages() {
    for text in ["", "2026-05-01T10:00:00Z INFO (service web) has reached a steady state.\n"] {
        let diagnosis = diagnosed(analyzer::record::Source::EcsServiceEvent, text);
        let payload = reports::slack::payload(&Guide::new(&diagnosis, book()));
        assert_eq!(is_within_limits(&payload), Ok(()), "{payload:#}");
    }
}

/// Collects every text that Slack would interpret.
pub fn texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let interpreted = object.get("type").and_then(Value::as_str) == Some("mrkdwn");
            if let (true, Some(Value::String(text))) = (interpreted, object.get("text")) {
                texts.push(text.clone());
            }
            object.values().for_each(|value| self::texts(value, texts));
        }
        Value::Array(items) => items.iter().for_each(|value| self::texts(value, texts)),
        _ => {}
    }
}

fn is_within_limits(payload: &Value) -> Result<(), String> {
    let at_most = |what: &str, length: usize, most: usize| match length {
        0 => Err(format!("{what} is empty")),
        length if length > most => Err(format!("{what} has {length}, at most {most} are allowed")),
        _ => Ok(()),
    };
    let text = payload["text"].as_str().ok_or("the message has no text for notifications")?;
    at_most("the text", text.chars().count(), 40_000)?;
    let blocks = payload["blocks"].as_array().ok_or("the message has no blocks")?;
    at_most("the message", blocks.len(), 50)?;
    at_most("the JSON of the blocks", payload["blocks"].to_string().len(), 12_000)?;
    for block in blocks {
        match block["type"].as_str() {
            Some("header") => {
                if block["text"]["type"] != "plain_text" {
                    return Err("a header is plain text only".to_owned());
                }
                at_most("a header", characters(&block["text"]["text"]), 150)?;
            }
            Some("section") => at_most("a section", characters(&block["text"]["text"]), 3000)?,
            Some("context") => {
                let elements = block["elements"].as_array().ok_or("a context has elements")?;
                at_most("a context", elements.len(), 10)?;
                for element in elements {
                    at_most("an element of a context", characters(&element["text"]), 3000)?;
                }
            }
            Some("divider") => {}
            other => return Err(format!("no limit is known for the block {other:?}")),
        }
    }
    Ok(())
}

fn characters(text: &Value) -> usize {
    text.as_str().unwrap_or_default().trim().chars().count()
}
