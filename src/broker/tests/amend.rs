//! Changes of one thing about a user or a host, made by several operators at once.

use std::sync::Barrier;

use super::stage::Stage;
use crate::broker::admin::{AdminError, Created, NewPassword, VhostChange};

/// Times that two operators change one user at the same moment.
const ROUNDS: usize = 300;

fn clear(text: &str) -> NewPassword {
    NewPassword::Clear(text.to_owned())
}

#[test]
fn a_password_and_tags_that_are_set_at_once_both_hold() {
    let stage = Stage::new();
    let broker = &stage.broker;
    broker
        .admin_put_user("u", NewPassword::None, Vec::new())
        .unwrap();
    let hash = |text: &str| {
        let hash = crate::broker::admin::hash_password(broker.options.hashing, text.as_bytes());
        NewPassword::Hash(hash.unwrap())
    };
    for round in 0..ROUNDS {
        let secret = format!("secret-{round}");
        let tag = format!("tag-{round}");
        let password = hash(&secret);
        let both = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                broker.admin_change_password("u", password).unwrap();
            });
            scope.spawn(|| {
                both.wait();
                broker.admin_set_user_tags("u", vec![tag.clone()]).unwrap();
            });
        });
        let user = broker.admin_get_user("u").unwrap();
        assert!(user.password.unwrap().verify(secret.as_bytes()), "{round}");
        assert_eq!(user.tags, [tag], "{round}");
    }
}

#[test]
fn who_is_there_is_not_added_and_who_is_not_is_not_changed() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let tags = vec!["management".to_owned()];
    let added = broker.admin_add_user("u", clear("first"), tags.clone());
    assert_eq!(added, Ok(Created(true)));
    let again = broker.admin_add_user("u", clear("second"), Vec::new());
    assert_eq!(again, Ok(Created(false)));
    let user = broker.admin_get_user("u").unwrap();
    assert!(user.password.unwrap().verify(b"first"));
    assert_eq!(user.tags, tags);
    let nobody = broker.admin_change_password("nobody", NewPassword::None);
    assert_eq!(nobody, Err(AdminError::NotFound));
    let nobody = broker.admin_set_user_tags("nobody", Vec::new());
    assert_eq!(nobody, Err(AdminError::NotFound));
    assert!(broker.admin_get_user("nobody").is_none());
}

#[test]
fn a_host_is_added_once_and_amended_only_where_it_is() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let said = |text: &str| VhostChange {
        description: Some(text.to_owned()),
        ..VhostChange::default()
    };
    assert_eq!(broker.admin_add_vhost("v", said("a")), Ok(Created(true)));
    assert_eq!(broker.admin_add_vhost("v", said("b")), Ok(Created(false)));
    assert_eq!(broker.admin_get_vhost("v").unwrap().description, "a");
    broker.admin_amend_vhost("v", said("c")).unwrap();
    assert_eq!(broker.admin_get_vhost("v").unwrap().description, "c");
    let missing = broker.admin_amend_vhost("w", said("d"));
    assert_eq!(missing, Err(AdminError::NotFound));
    assert!(broker.admin_get_vhost("w").is_none());
}
