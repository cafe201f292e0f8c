//! A remembered route is used as long as it is what routing anew would find, and no longer.

use super::stage::{Stage, names};
use crate::broker::route::Route;
use crate::exchange::ExchangeType;

/// Does something that must end every one of the routes, each named by exchange and key.
fn ends(stage: &Stage, routes: &[(&str, &str)], change: impl FnOnce()) {
    let kept: Vec<Route> = routes.iter().map(|(x, key)| stage.route(x, key)).collect();
    for (route, named) in kept.iter().zip(routes) {
        assert!(route.may_be_kept(), "{named:?}");
        assert!(route.is_current(), "{named:?}");
    }
    change();
    for (route, named) in kept.iter().zip(routes) {
        assert!(!route.is_current(), "{named:?} is used on");
        assert!(stage.route(named.0, named.1).is_current());
    }
}

/// Does something that must leave the route alone.
fn leaves(stage: &Stage, exchange: &str, key: &str, change: impl FnOnce()) {
    let route = stage.route(exchange, key);
    change();
    assert!(route.is_current());
    assert_eq!(names(&route), names(&stage.route(exchange, key)));
}

fn stage() -> Stage {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Direct, None);
    stage.exchange("y", ExchangeType::Direct, None);
    stage.queue("q", &[]);
    stage.queue("r", &[]);
    stage.bind("x", "k", "q");
    stage.bind_exchange("x", "k", "y");
    stage
}

#[test]
fn binding_and_unbinding_end_it() {
    let stage = stage();
    ends(&stage, &[("x", "k"), ("x", "other")], || {
        stage.bind("x", "other", "r")
    });
    ends(&stage, &[("x", "k"), ("x", "other")], || {
        stage.unbind("x", "other", "r")
    });
    assert!(stage.route("x", "other").queues.is_empty());
}

#[test]
fn a_change_of_an_exchange_further_on_ends_it() {
    let stage = stage();
    ends(&stage, &[("x", "k"), ("y", "k")], || {
        stage.bind("y", "k", "r")
    });
    assert_eq!(names(&stage.route("x", "k")), ["q", "r"]);
    ends(&stage, &[("x", "k")], || {
        stage.vhost.delete_exchange(b"y", false).unwrap()
    });
    assert_eq!(names(&stage.route("x", "k")), ["q"]);
}

#[test]
fn deleting_what_it_uses_ends_it() {
    let stage = stage();
    let delete = |name: &[u8]| {
        let queue = stage.vhost.queue(name).unwrap();
        stage.vhost.delete_queue(&queue, false, false).unwrap();
    };
    stage.bind("y", "k", "r");
    ends(&stage, &[("x", "k"), ("", "q")], || delete(b"q"));
    ends(&stage, &[("x", "k"), ("y", "k"), ("", "r")], || {
        delete(b"r")
    });
    // A queue of the same name is another one, which nothing is bound to.
    stage.queue("q", &[]);
    assert!(stage.route("x", "k").queues.is_empty());
    assert_eq!(names(&stage.route("", "q")), ["q"]);

    let stage = self::stage();
    let route = stage.route("x", "k");
    stage.vhost.delete_exchange(b"x", false).unwrap();
    assert!(!route.is_current());
}

#[test]
fn alternates_that_come_and_go_end_it() {
    let stage = stage();
    stage.exchange("z", ExchangeType::Direct, Some("spare"));
    stage.bind("z", "taken", "q");
    // It is not there yet: the way to nowhere is remembered, and ends when it comes.
    ends(&stage, &[("z", "k")], || {
        stage.exchange("spare", ExchangeType::Fanout, None)
    });
    ends(&stage, &[("z", "k")], || stage.bind("spare", "", "r"));
    assert_eq!(names(&stage.route("z", "k")), ["r"]);
    ends(&stage, &[("z", "k")], || {
        stage.vhost.delete_exchange(b"spare", false).unwrap()
    });
    assert!(stage.route("z", "k").queues.is_empty());
}

#[test]
fn alternates_of_alternates_end_it() {
    let stage = Stage::new();
    stage.exchange("a", ExchangeType::Direct, Some("b"));
    stage.exchange("b", ExchangeType::Direct, Some("c"));
    ends(&stage, &[("a", "k"), ("b", "k")], || {
        stage.exchange("c", ExchangeType::Fanout, None)
    });
    stage.queue("q", &[]);
    ends(&stage, &[("a", "k"), ("b", "k"), ("c", "k")], || {
        stage.bind("c", "", "q")
    });
    ends(&stage, &[("a", "k"), ("b", "k")], || {
        stage.vhost.delete_exchange(b"c", false).unwrap();
    });
}

#[test]
fn what_does_not_concern_it_leaves_it_alone() {
    let stage = stage();
    leaves(&stage, "x", "k", || {
        stage.exchange("elsewhere", ExchangeType::Fanout, None);
        stage.queue("new", &[]);
        stage.bind("elsewhere", "", "new");
        stage.bind("elsewhere", "", "q");
        stage.vhost.delete_exchange(b"elsewhere", false).unwrap();
    });
    // The same binding once more is no change.
    leaves(&stage, "x", "k", || stage.bind("x", "k", "q"));
    leaves(&stage, "x", "k", || stage.unbind("x", "never", "q"));
}

#[test]
fn a_key_that_no_queue_has_is_not_remembered() {
    let stage = stage();
    assert!(!stage.route("", "nobody").may_be_kept());
    assert!(stage.route("", "q").may_be_kept());
    // By an exchange it is: the exchange tells when that changes.
    assert!(stage.route("x", "nobody").may_be_kept());
}
