//! The line grammar against what RFC 8785 (JCS), RFC 7493 (I-JSON) and the test data of
//! `cyberphone/json-canonicalization` say: what is taken is always canonical, and what is
//! canonical and yet refused is one of five things that no line holds.

use countersign_core::{Digest, HostId, Salt};
use countersign_ledger::{Entry, Header, InProcessSigner, Line, Openings, body, seal};
use serde_json_canonicalizer::to_string;

/// A line whose `body.x` is this text.
fn line(value: &str) -> String {
    let header = Header {
        at_us: 1_795_000_000_000_000,
        boot: "0123456789abcdef0123456789abcdef",
        host: HostId::from_random([7; 16]),
        kind: "heartbeat",
        mono: 1,
        prev: Digest::ZERO,
        seq: 0,
        sess: None,
    };
    let mut signer = InProcessSigner::from_seed([1; 32]).unwrap();
    let sealed = seal(&header, &body([("x", 7u64.into())]), &Openings::new(), None, &mut signer).unwrap();
    let good = sealed.line.trim_end().to_owned();
    let changed = good.replacen("{\"x\":7}", &format!("{{\"x\":{value}}}"), 1);
    assert!(value == "7" || changed != good);
    changed
}

fn taken(value: &str) -> bool {
    Line::parse(line(value).as_bytes()).is_ok()
}

/// The numbers of RFC 8785, appendix B, as they are canonically written, and 2⁵³ − 1.
#[test]
fn numbers_of_rfc_8785() {
    let numbers: [(u64, &str, bool); 27] = [
        (0x0000_0000_0000_0000, "0", true),
        (0x8000_0000_0000_0000, "0", true),
        (0x0000_0000_0000_0001, "5e-324", false),
        (0x8000_0000_0000_0001, "-5e-324", false),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308", false),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308", false),
        (0x433f_ffff_ffff_ffff, "9007199254740991", true),
        (0x4340_0000_0000_0000, "9007199254740992", false),
        (0xc340_0000_0000_0000, "-9007199254740992", false),
        (0x4430_0000_0000_0000, "295147905179352830000", false),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22", false),
        (0x44b5_2d02_c7e1_4af6, "1e+23", false),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23", false),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000", false),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000", false),
        (0x444b_1ae4_d6e2_ef50, "1e+21", false),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7", false),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001", false),
        (0x41b3_de43_5555_5553, "333333333.3333332", false),
        (0x41b3_de43_5555_5554, "333333333.33333325", false),
        (0x41b3_de43_5555_5555, "333333333.3333333", false),
        (0x41b3_de43_5555_5556, "333333333.3333334", false),
        (0x41b3_de43_5555_5557, "333333333.33333343", false),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333", false),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2", false),
        (0x404c_0000_0000_0000, "56", true),
        (0xbff0_0000_0000_0000, "-1", false),
    ];
    for (bits, text, wanted) in numbers {
        assert_eq!(to_string(&f64::from_bits(bits)).unwrap(), text);
        assert_eq!(taken(text), wanted, "{text}");
    }
}

/// JSON, or nearly, that is another spelling of something: never taken.
#[test]
fn other_spellings() {
    let numbers = ["-0", "+1", "01", "00", "0x10", "1.0", "1.", ".5", "1e0", "1E3", "1e+3", "1_000", "NaN", "Infinity"];
    let strings = [
        r#""\u0041""#,
        r#""\/""#,
        r#""\ud800""#,
        r#""\ud83d\ude02""#,
        r#""\"""#,
        r#""\\""#,
        "\"\u{80}\"",
        "'a'",
        "\"\t\"",
    ];
    let others = [
        "null",
        "True",
        "",
        " 7",
        "7 ",
        "[1,]",
        "[,1]",
        "[1 ,2]",
        "{\"a\":1,}",
        "{\"a\" :1}",
        "{a:1}",
        "7//",
        "[1",
        "1]",
        "{\"a\":1,\"a\":1}",
    ];
    for text in numbers.iter().chain(&strings).chain(&others) {
        assert!(!taken(text), "{text}");
    }
    // Names sort as bytes, which in ASCII is the order of RFC 8785.
    for (text, wanted) in [
        ("{\"a\":1,\"b\":2}", true),
        ("{\"b\":1,\"a\":2}", false),
        ("{\"A\":1,\"a\":2}", true),
        ("{\"a\":1,\"A\":2}", false),
    ] {
        assert_eq!(taken(text), wanted, "{text}");
        assert_eq!(
            to_string(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap() == text,
            wanted,
            "{text}"
        );
    }
}

/// The canonical outputs of cyberphone's test data, what in them no line holds, and the rest of each.
#[test]
fn outputs_of_json_canonicalization() {
    let outputs = [
        ("arrays", r#"[56,{"1":[],"10":null,"d":true}]"#, r#"[56,{"1":[],"10":1,"d":true}]"#),
        (
            "french",
            r#"{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ignore locale"}"#,
            r#"{"peach":"This sorting order","sin":"ignore locale"}"#,
        ),
        (
            "structures",
            r#"{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}"#,
            r#"{"":"empty","1":{"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}"#,
        ),
        ("unicode", "{\"Unnormalized Unicode\":\"A\u{30a}\"}", r#"{"Unnormalized Unicode":"A"}"#),
        (
            "values",
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
            r#"{"literals":[true,false],"numbers":[],"string":"$A'B/"}"#,
        ),
        (
            "weird",
            "{\"\\n\":\"Newline\",\"\\r\":\"Carriage Return\",\"1\":\"One\",\"</script>\":\"Browser Challenge\",\"\u{80}\":\"Control\u{7f}\",\"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\"\u{1f602}\":\"Smiley\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
            r#"{"1":"One","</script>":"Browser Challenge"}"#,
        ),
    ];
    for (name, output, rest) in outputs {
        for (text, wanted) in [(output, false), (rest, true)] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(to_string(&value).unwrap(), text, "{name}");
            assert_eq!(taken(text), wanted, "{name}");
        }
    }
}

/// Texts of that data as openings: `vals` has one spelling too, which is JCS where that is ASCII without
/// control characters of other than short form.
#[test]
fn texts_in_openings() {
    let texts = [
        "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
        "Control\u{7f}",
        "\u{80}",
        "\u{f6}",
        "\u{1f602}",
        "\u{fb33}",
        "A\u{30a}",
        "</script>",
        "plain",
        "a\"b\\c\nd\re\tf",
    ];
    let mut alike = 0;
    for text in texts {
        let header = Header {
            at_us: 1_795_000_000_000_000,
            boot: "0123456789abcdef0123456789abcdef",
            host: HostId::from_random([7; 16]),
            kind: "decided",
            mono: 1,
            prev: Digest::ZERO,
            seq: 0,
            sess: None,
        };
        let mut vals = Openings::new();
        let digest = vals.insert("comment", Salt([3; 32]), text.as_bytes().to_vec());
        let mut signer = InProcessSigner::from_seed([1; 32]).unwrap();
        let sealed = seal(&header, &body([("comment", digest.into())]), &vals, None, &mut signer).unwrap();
        let ours = sealed.line.trim_end();
        let entry = Entry::parse(ours.as_bytes()).unwrap();
        assert_eq!(entry.openings().unwrap().one("comment"), Some(text.as_bytes()));
        // Any reader of JSON comes to the same text; its canonical spelling is taken where it is ours.
        let (leaf, vals) = ours.split_once(",\"vals\":").unwrap();
        let value: serde_json::Value = serde_json::from_str(vals.strip_suffix('}').unwrap()).unwrap();
        assert_eq!(value["comment"][1], text);
        let theirs = format!("{leaf},\"vals\":{}}}", to_string(&value).unwrap());
        let taken = Entry::parse(theirs.as_bytes()).is_ok_and(|entry| entry.openings().is_ok());
        assert_eq!(taken, theirs == ours, "{text:?}");
        alike += usize::from(taken);
    }
    assert_eq!(alike, 3);
}
