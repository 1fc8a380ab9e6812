//! Writes answers that were XML as the JSON that the AWS CLI prints.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};

/// The fields of an object; what is not there is left out.
#[derive(Clone, Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    pub fn text(self, name: &str, text: Option<&str>) -> Fields {
        self.value(name, text.map(Value::from))
    }

    pub fn number(self, name: &str, number: Option<i32>) -> Fields {
        self.value(name, number.map(Value::from))
    }

    pub fn flag(self, name: &str, flag: Option<bool>) -> Fields {
        self.value(name, flag.map(Value::from))
    }

    pub fn time(self, name: &str, time: Option<&DateTime>) -> Fields {
        let text = time.and_then(|time| time.fmt(Format::DateTime).ok());
        self.value(name, text.map(Value::from))
    }

    pub fn value(mut self, name: &str, value: Option<Value>) -> Fields {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    pub fn object(self) -> Value {
        Value::Object(self.0)
    }
}
