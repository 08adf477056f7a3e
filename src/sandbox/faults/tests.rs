use std::time::Duration;

use proptest::prelude::*;

use super::Faults;

#[test]
fn every_fault_is_read() {
    assert_eq!(Faults::parse("status=429"), Ok(Faults { status: Some(429), ..Faults::default() }));
    assert_eq!(Faults::parse("latency=2s"), Ok(Faults { latency: Some(Duration::from_secs(2)), ..Faults::default() }));
    assert_eq!(Faults::parse("latency=60000ms"), Ok(Faults { latency: Some(Duration::from_secs(60)), ..Faults::default() }));
    let all = Faults { status: Some(599), latency: Some(Duration::from_millis(250)), cut: Some(0), no_usage: true, tokens: Some(1_000_000), model: None };
    assert_eq!(Faults::parse(" no-usage,cut=0 ,  tokens = 1000000,latency=250ms,status=599 "), Ok(all));
}

#[test]
fn anything_else_is_an_error_that_says_why() {
    for (header, reason) in [
        ("", "missing"),
        ("cut=3,", "missing"),
        ("status", "needs a value"),
        ("status=200", "400 to 599"),
        ("status=600", "400 to 599"),
        ("status=+429", "400 to 599"),
        ("latency=61s", "at most 60s"),
        ("latency=2", "like 2s"),
        ("latency=-1s", "like 2s"),
        ("latency=99999999999999999999s", "like 2s"),
        ("latency=18446744073709551615s", "like 2s"),
        ("latency=1.5s", "like 2s"),
        ("cut=-1", "whole number"),
        ("cut=1000001", "whole number"),
        ("tokens=0", "1 to 1000000"),
        ("tokens=1000001", "1 to 1000000"),
        ("no-usage=1", "no value"),
        ("no-usage,no-usage", "twice"),
        ("cut=1,cut=2", "twice"),
        ("Status=429", "no fault 'Status'"),
        ("teapot", "no fault 'teapot'"),
        ("status=429;cut=3", "400 to 599"),
    ] {
        let got = Faults::parse(header).expect_err(header);
        assert!(got.contains(reason), "{header}: {got}");
    }
}

proptest! {
    #[test]
    fn no_header_breaks_it(header in "\\PC{0,60}") {
        if let Err(reason) = Faults::parse(&header) {
            prop_assert!(reason.len() < 300);
        }
    }
}
