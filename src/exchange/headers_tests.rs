//! Header rules, each as RabbitMQ 3.10.8 answered when probed.

use super::*;

type Pairs<'p> = &'p [(&'p str, Value)];

fn table(pairs: Pairs<'_>) -> Table {
    Table(
        pairs
            .iter()
            .map(|(k, v)| (k.as_bytes().to_vec(), v.clone()))
            .collect(),
    )
}

fn takes(binding: Pairs<'_>, message: Pairs<'_>) -> bool {
    let mut headers = Headers::default();
    headers.add(&Arguments::new(&table(binding)), &Destination::queue(b"q"));
    let mut hits = 0;
    headers.visit(Some(&table(message)), |_| hits += 1);
    hits == 1
}

fn int(value: i32) -> Value {
    Value::I32(value)
}

fn with(kind: &str, rest: Pairs<'_>) -> Vec<(&'static str, Value)> {
    let keys = ["x-match", "x-foo", "a", "b", "x", "x-", "X-a"];
    let mut out = vec![("x-match", Value::text(kind))];
    for (key, value) in rest {
        let key = keys.iter().find(|k| *k == key).expect("a known key");
        out.push((key, value.clone()));
    }
    out
}

#[test]
fn numbers_and_timestamps_compare_by_value() {
    let ones = [
        Value::I8(1),
        Value::U8(1),
        Value::I16(1),
        Value::U16(1),
        Value::I32(1),
        Value::U32(1),
        Value::I64(1),
        Value::F32(1.0),
        Value::F64(1.0),
        Value::Timestamp(1),
    ];
    for a in &ones {
        for b in &ones {
            assert!(matches_value(a, b), "{a:?} {b:?}");
        }
        for other in [
            Value::Bool(true),
            Value::text("1"),
            Value::Decimal(0, 1),
            Value::F64(1.5),
            Value::I64(1 << 40),
            Value::Array(vec![int(1)]),
            Value::Void,
        ] {
            assert!(!matches_value(a, &other), "{a:?} {other:?}");
        }
    }
}

#[test]
fn numbers_compare_exactly_beyond_what_a_double_holds() {
    let big = 1i64 << 53;
    assert!(matches_value(&Value::I64(big), &Value::F64(big as f64)));
    assert!(!matches_value(
        &Value::I64(big + 1),
        &Value::F64(big as f64)
    ));
    assert!(!matches_value(
        &Value::Timestamp(1 << 63),
        &Value::I64(i64::MIN)
    ));
    assert!(matches_value(
        &Value::Timestamp(1 << 63),
        &Value::F64(9_223_372_036_854_775_808.0)
    ));
    assert!(matches_value(&Value::F64(-0.0), &int(0)));
    assert!(!matches_value(&Value::F32(0.1), &Value::F64(0.1)));
    assert!(!matches_value(
        &Value::F64(f64::INFINITY),
        &Value::I64(i64::MAX)
    ));
    assert!(!matches_value(&int(0), &Value::F64(f64::NAN)));
}

#[test]
fn strings_equal_byte_arrays_and_the_empty_collections_each_other() {
    assert!(matches_value(
        &Value::text("1"),
        &Value::Bytes(b"1".to_vec())
    ));
    assert!(matches_value(&Value::Bytes(vec![]), &Value::text("")));
    let (array, nested) = (Value::Array(vec![]), Value::Table(Table::default()));
    assert!(matches_value(&array, &nested) && matches_value(&nested, &array));
    assert!(!matches_value(&Value::text("true"), &Value::Bool(true)));
    assert!(!matches_value(&Value::Bool(false), &int(0)));
}

#[test]
fn within_arrays_and_tables_the_type_and_the_order_count() {
    let array = |value| Value::Array(vec![value]);
    assert!(matches_value(&array(int(1)), &array(int(1))));
    assert!(!matches_value(&array(int(1)), &array(Value::I64(1))));
    assert!(!matches_value(&array(int(1)), &array(Value::F64(1.0))));
    let nested = |keys: [&str; 2]| Value::Table(table(&keys.map(|k| (k, int(1)))));
    assert!(matches_value(&nested(["a", "b"]), &nested(["a", "b"])));
    assert!(!matches_value(&nested(["a", "b"]), &nested(["b", "a"])));
    assert!(!matches_value(
        &Value::Decimal(0, 1),
        &Value::Decimal(1, 10)
    ));
    assert!(matches_value(
        &Value::Decimal(1, 10),
        &Value::Decimal(1, 10)
    ));
}

#[test]
fn void_asks_for_presence_whatever_the_value() {
    for kind in ["all", "any", "all-with-x", "any-with-x"] {
        let binding = with(kind, &[("a", Value::Void)]);
        assert!(takes(&binding, &[("a", Value::Void)]));
        assert!(takes(&binding, &[("a", int(1))]));
        assert!(!takes(&binding, &[("b", int(1))]));
        assert!(!takes(&binding, &[]));
    }
    // A void header of the message matches nothing but that.
    assert!(!takes(&[("a", int(0))], &[("a", Value::Void)]));
}

#[test]
fn with_nothing_to_compare_all_takes_everything_and_any_nothing() {
    assert!(takes(&[], &[]) && takes(&[], &[("a", int(1))]));
    for (kind, expected) in [
        ("all", true),
        ("all-with-x", true),
        ("any", false),
        ("any-with-x", false),
    ] {
        for message in [vec![], vec![("a", int(1))], with(kind, &[])] {
            assert_eq!(takes(&with(kind, &[]), &message), expected, "{kind}");
        }
    }
    // x- keys do not count without the suffix, so nothing is left here either.
    let foo = [("x-foo", int(1))];
    assert!(takes(&with("all", &foo), &[]));
    assert!(!takes(&with("any", &foo), &foo));
}

#[test]
fn x_keys_count_only_with_the_suffix() {
    let both = [("x-foo", int(1)), ("a", int(1))];
    let foo = [("x-foo", int(1))];
    let a = [("a", int(1))];
    let other_foo = [("a", int(1)), ("x-foo", int(2))];
    let other_a = [("a", int(2)), ("x-foo", int(1))];
    let rows: [(&str, [bool; 5]); 4] = [
        ("all", [false, true, true, true, false]),
        ("any", [false, true, true, true, false]),
        ("all-with-x", [false, false, true, false, false]),
        ("any-with-x", [true, true, true, true, true]),
    ];
    for (kind, expected) in rows {
        let binding = with(kind, &both);
        let got = [
            takes(&binding, &foo),
            takes(&binding, &a),
            takes(&binding, &both),
            takes(&binding, &other_foo),
            takes(&binding, &other_a),
        ];
        assert_eq!(got, expected, "{kind}");
    }
    // The prefix is exactly "x-": "x" and "X-a" are ordinary keys, "x-" is not.
    let binding = with("all", &[("X-a", int(1)), ("x", int(1)), ("x-", int(1))]);
    assert!(takes(&binding, &[("X-a", int(1)), ("x", int(1))]));
    assert!(!takes(&binding, &[("x", int(1)), ("x-", int(1))]));
}

#[test]
fn x_match_of_the_message_is_never_compared() {
    let message = with("any-with-x", &[]);
    assert!(!takes(&with("any-with-x", &[("a", int(1))]), &message));
}

#[test]
fn repeated_keys_are_paired_in_order() {
    let twice = |kind, first, second| with(kind, &[("a", int(first)), ("a", int(second))]);
    let message = |values: &[i32]| values.iter().map(|v| ("a", int(*v))).collect::<Vec<_>>();
    let rows: [(&[i32], bool, bool); 4] = [
        (&[1], false, true),
        (&[2], false, false),
        (&[1, 2], true, true),
        (&[2, 1], false, false),
    ];
    for (values, all, any) in rows {
        assert_eq!(
            takes(&twice("all", 1, 2), &message(values)),
            all,
            "{values:?}"
        );
        assert_eq!(
            takes(&twice("any", 1, 2), &message(values)),
            any,
            "{values:?}"
        );
    }
    assert!(takes(&[("a", int(1))], &message(&[1, 2])));
    assert!(!takes(&[("a", int(1))], &message(&[2, 1])));
}

#[test]
fn the_first_x_match_counts() {
    let ab = [("a", int(1)), ("b", int(2))];
    let mut any_first = vec![("x-match", Value::text("any"))];
    any_first.extend(with("all", &ab));
    let mut all_first = vec![("x-match", Value::text("all"))];
    all_first.extend(with("any", &ab));
    assert!(takes(&any_first, &[("a", int(1))]));
    assert!(!takes(&all_first, &[("a", int(1))]));
}

#[test]
fn bad_x_match_is_refused_in_rabbitmqs_words() {
    let text = |value: Value| check(&table(&[("x-match", value)])).map_err(|e| e.to_string());
    assert_eq!(
        text(Value::text("foo")),
        Err(
            "Invalid x-match field value <<\"foo\">>; expected all, any, all-with-x, or any-with-x"
                .into()
        )
    );
    assert_eq!(
        text(Value::text("")),
        Err(
            "Invalid x-match field value <<>>; expected all, any, all-with-x, or any-with-x".into()
        )
    );
    assert!(text(Value::text("ALL")).is_err());
    assert_eq!(
        text(int(1)),
        Err("Invalid x-match field type signedint (value 1); expected longstr".into())
    );
    assert_eq!(
        text(Value::Bytes(b"all".to_vec())),
        Err("Invalid x-match field type binary (value <<\"all\">>); expected longstr".into())
    );
    assert_eq!(text(Value::text("any-with-x")), Ok((true, true)));
    assert_eq!(check(&Table::default()), Ok((false, false)));
}
