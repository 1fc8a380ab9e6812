//! Hosts that take no prefix: some calls go to `stream-logs.…` instead of `logs.…`, which no address and no name of
//! this machine has.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::net::IpAddr;

/// Takes the prefix `stream-` away where the host cannot have it: at an endpoint of the user's own.
#[derive(Debug)]
pub struct PlainHost;

impl Intercept for PlainHost {
    fn name(&self) -> &'static str {
        "PlainHost"
    }

    // The prefix is there from here on, and the host is not signed yet.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(plain) = without_prefix(context.request().uri()) {
            context.request_mut().set_uri(plain)?;
        }
        Ok(())
    }
}

fn without_prefix(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://stream-")?;
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    let takes_none = host.parse::<IpAddr>().is_ok() || !host.contains('.');
    takes_none.then(|| format!("{scheme}://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, plain: Option<&str>) {
        assert_eq!(without_prefix(uri).as_deref(), plain, "{uri}");
    }

    #[test]
    fn only_addresses_and_local_names_take_no_prefix() {
        check("http://stream-127.0.0.1:4566/", Some("http://127.0.0.1:4566/"));
        check("http://stream-localhost:4566/", Some("http://localhost:4566/"));
        check("https://stream-logs.eu-west-1.amazonaws.com/", None);
        check("https://logs.eu-west-1.amazonaws.com/", None);
    }
}
