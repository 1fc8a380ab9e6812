//! The greeting of the forward protocol, where sender and receiver share a key: HELO, PING, PONG.
//!
//! Neither side sends the key. Each proves that it knows it by a digest over it and what the other side drew.

use rmpv::Value;
use sha2::{Digest, Sha512};
use std::fmt::Write;
use subtle::ConstantTimeEq;

use super::wire::{Refused, text};

/// What the receiver calls itself.
const HOST: &str = "medic";
/// A PING is never larger.
pub const LARGEST_PING: usize = 16 << 10;

/// A greeting that has begun.
pub struct Greeting {
    key: String,
    nonce: [u8; 16],
}

/// What a PING is answered with, and whether the sender knows the key.
pub struct Answer {
    pub pong: Vec<u8>,
    pub is_welcome: bool,
}

impl Greeting {
    /// Begins; `None` where the machine gives no random bytes.
    pub fn new(key: &str) -> Option<Greeting> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).ok()?;
        Some(Greeting { key: key.to_owned(), nonce })
    }

    /// Returns what the receiver says first.
    pub fn hello(&self) -> Vec<u8> {
        let options = Value::Map(vec![
            ("nonce".into(), Value::Binary(self.nonce.to_vec())),
            // No user and no password are asked for.
            ("auth".into(), "".into()),
            ("keepalive".into(), true.into()),
        ]);
        bytes(vec!["HELO".into(), options])
    }

    /// Answers a PING: its host, its salt, and the digest over them, the nonce and the key.
    pub fn answer(&self, ping: &[u8]) -> Result<Answer, Refused> {
        let Ok(Value::Array(parts)) = rmpv::decode::read_value(&mut &ping[..]) else {
            return Err(Refused::Unknown);
        };
        let [word, host, salt, digest, ..] = parts.as_slice() else { return Err(Refused::Unknown) };
        let (Some(host), Some(salt), Some(digest)) = (text(host), raw(salt), text(digest)) else {
            return Err(Refused::Unknown);
        };
        if word.as_str() != Some("PING") {
            return Err(Refused::Unknown);
        }
        let wanted = self.digest(salt, &host);
        let is_welcome = bool::from(wanted.as_bytes().ct_eq(digest.to_ascii_lowercase().as_bytes()));
        let (reason, own) =
            if is_welcome { ("", self.digest(salt, HOST)) } else { ("shared_key mismatch", String::new()) };
        let pong = bytes(vec!["PONG".into(), is_welcome.into(), reason.into(), HOST.into(), own.into()]);
        Ok(Answer { pong, is_welcome })
    }

    fn digest(&self, salt: &[u8], host: &str) -> String {
        let mut digest = Sha512::new();
        for part in [salt, host.as_bytes(), &self.nonce, self.key.as_bytes()] {
            digest.update(part);
        }
        let mut hex = String::with_capacity(128);
        for byte in digest.finalize() {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

/// Returns the bytes of a text or of bytes: a salt need not be text.
fn raw(value: &Value) -> Option<&[u8]> {
    match value {
        Value::String(text) => Some(text.as_bytes()),
        Value::Binary(bytes) => Some(bytes),
        _ => None,
    }
}

fn bytes(parts: Vec<Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = rmpv::encode::write_value(&mut bytes, &Value::Array(parts));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(greeting: &Greeting, key: &str) -> Vec<u8> {
        let sender = Greeting { key: key.to_owned(), nonce: greeting.nonce };
        let salt = [0xff, 0x00, 0x07];
        let digest = sender.digest(&salt, "web-1");
        bytes(vec![
            "PING".into(),
            "web-1".into(),
            Value::Binary(salt.to_vec()),
            digest.into(),
            "".into(),
            "".into(),
        ])
    }

    #[track_caller]
    fn check(key: &str, is_welcome: bool) {
        let greeting = Greeting::new("falcon").unwrap();
        let answer = greeting.answer(&ping(&greeting, key)).unwrap();
        assert_eq!(answer.is_welcome, is_welcome);
        let pong = rmpv::decode::read_value(&mut &answer.pong[..]).unwrap();
        assert_eq!((pong[0].as_str(), pong[1].as_bool()), (Some("PONG"), Some(is_welcome)));
        // A sender without the key learns nothing that is made of it.
        assert_eq!(pong[4].as_str().unwrap().is_empty(), !is_welcome);
    }

    #[test]
    fn who_knows_the_key_is_welcome() {
        check("falcon", true);
        check("heron", false);
        check("", false);
    }

    #[test]
    fn the_digest_is_the_one_of_the_specification() {
        let greeting = Greeting { key: "key".to_owned(), nonce: *b"0123456789abcdef" };
        let whole = Sha512::digest(b"salthost0123456789abcdefkey");
        let hex: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(greeting.digest(b"salt", "host"), hex);
    }

    #[test]
    fn what_is_no_ping_is_refused() {
        let greeting = Greeting::new("falcon").unwrap();
        for message in
            [bytes(vec!["web".into(), 7.into()]), vec![0xc0], Vec::new(), bytes(vec!["PING".into()])]
        {
            assert!(greeting.answer(&message).is_err());
        }
    }
}
