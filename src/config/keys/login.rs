//! Keys of logins and of what an empty broker starts with.

use super::row::{Default::*, Key, put, put_some};
use crate::config::settings::{CertificateLogin, CertificateSan};
use crate::config::value::{boolean, integer, short_text, text};

const NAME: &str = "a text of 1 to 255 bytes";
const PATTERN: &str = "a regular expression; '' (empty, in quotes) matches nothing but ''";

pub const KEYS: &[Key] = &[
    Key::new(
        "auth_mechanisms.$n",
        Family(&[
            ("auth_mechanisms.1", "PLAIN"),
            ("auth_mechanisms.2", "AMQPLAIN"),
        ]),
        "PLAIN, AMQPLAIN, EXTERNAL or ANONYMOUS",
        "Ways to log in, in the order they are offered; EXTERNAL takes the user name from a TLS \
         client certificate.",
        |s, _, v| {
            if !["PLAIN", "AMQPLAIN", "EXTERNAL", "ANONYMOUS"].contains(&v) {
                return None;
            }
            s.auth.mechanisms.push(v.to_owned());
            Some(())
        },
    ),
    Key::new(
        "ssl_cert_login_from",
        Value("distinguished_name"),
        "distinguished_name, common_name, subject_alternative_name or subject_alt_name",
        "What EXTERNAL takes from the client certificate for the user name.",
        |s, _, v| {
            let from = match v {
                "distinguished_name" => CertificateLogin::DistinguishedName,
                "common_name" => CertificateLogin::CommonName,
                "subject_alternative_name" | "subject_alt_name" => {
                    CertificateLogin::SubjectAlternativeName
                }
                _ => return None,
            };
            put(&mut s.auth.ssl_cert_login_from, Some(from))
        },
    ),
    Key::new(
        "ssl_cert_login_san_type",
        Value("dns"),
        "dns, ip, email or uri",
        "Which subject alternative names are looked at.",
        |s, _, v| {
            let san = match v {
                "dns" => CertificateSan::Dns,
                "ip" => CertificateSan::Ip,
                "email" => CertificateSan::Email,
                "uri" => CertificateSan::Uri,
                _ => return None,
            };
            put(&mut s.auth.ssl_cert_login_san_type, Some(san))
        },
    ),
    Key::new(
        "ssl_cert_login_san_index",
        Value("0"),
        "a whole number from 0 to 100",
        "Which of several such names, from 0.",
        |s, _, v| put(&mut s.auth.ssl_cert_login_san_index, integer(v, 0, 100)),
    ),
    Key::new(
        "anonymous_login_user",
        Value("none"),
        "the name of a user, or none",
        "Who a client is that logs in by ANONYMOUS, where auth_mechanisms offers that.",
        |s, _, v| {
            let user = if v == "none" {
                None
            } else {
                Some(short_text(v)?)
            };
            put(&mut s.auth.anonymous_login_user, Some(user))
        },
    ),
    Key::new(
        "loopback_users.$user",
        Family(&[("loopback_users.guest", "true")]),
        "true or false",
        "Users that may log in from this machine only.",
        |s, user, v| {
            if boolean(v)? {
                s.auth.loopback_users.push(user.to_owned());
            }
            Some(())
        },
    ),
    Key::new(
        "loopback_users",
        Unset,
        "none",
        "Every user may log in from anywhere, whatever loopback_users.* say.",
        // Behind its family in this table, so that it has the last word.
        |s, _, v| put(&mut s.auth.loopback_users, (v == "none").then(Vec::new)),
    ),
    Key::new(
        "password_hashing_module",
        Value("rabbit_password_hashing_sha256"),
        "rabbit_password_hashing_sha256 or rabbit_password_hashing_sha512",
        "How the passwords of new users are hashed; existing users keep theirs.",
        |s, _, v| {
            let known = [
                "rabbit_password_hashing_sha256",
                "rabbit_password_hashing_sha512",
            ];
            let name = known.contains(&v).then(|| v.to_owned());
            put(&mut s.auth.password_hashing_module, name)
        },
    ),
    Key::new(
        "default_user",
        Value("guest"),
        NAME,
        "The first user of an empty broker.",
        |s, _, v| put(&mut s.defaults.user, short_text(v)),
    ),
    Key::new(
        "default_pass",
        Value("guest"),
        "a text",
        "Its password.",
        |s, _, v| put(&mut s.defaults.pass, text(v)),
    )
    .secret(),
    Key::new(
        "default_user_tags.$tag",
        Family(&[("default_user_tags.administrator", "true")]),
        "true or false",
        "Its tags.",
        |s, tag, v| {
            if boolean(v)? {
                s.defaults.user_tags.push(tag.to_owned());
            }
            Some(())
        },
    ),
    Key::new(
        "default_vhost",
        Value("/"),
        NAME,
        "The first virtual host of an empty broker.",
        |s, _, v| put(&mut s.defaults.vhost, short_text(v)),
    ),
    Key::new(
        "default_permissions.configure",
        Value(".*"),
        PATTERN,
        "Names the first user may declare and delete in the first virtual host.",
        |s, _, v| put(&mut s.defaults.configure, Some(v.to_owned())),
    ),
    Key::new(
        "default_permissions.write",
        Value(".*"),
        PATTERN,
        "Names it may publish to and bind.",
        |s, _, v| put(&mut s.defaults.write, Some(v.to_owned())),
    ),
    Key::new(
        "default_permissions.read",
        Value(".*"),
        PATTERN,
        "Names it may consume from and bind to.",
        |s, _, v| put(&mut s.defaults.read, Some(v.to_owned())),
    ),
    Key::new(
        "load_definitions",
        Unset,
        "the path of a file, or of a folder of *.json files",
        "Definitions exported by RabbitMQ or this broker, imported at start.",
        |s, _, v| put_some(&mut s.defaults.load_definitions, text(v)),
    ),
    Key::new(
        "management.load_definitions",
        Unset,
        "the path of a file, or of a folder of *.json files",
        "An older name of load_definitions.",
        |s, _, v| put_some(&mut s.defaults.load_definitions, text(v)),
    ),
    Key::new(
        "definitions.local.path",
        Unset,
        "the path of a file, or of a folder of *.json files",
        "Another name of load_definitions.",
        |s, _, v| put_some(&mut s.defaults.load_definitions, text(v)),
    ),
    Key::new(
        "definitions.import_backend",
        Value("local_filesystem"),
        "local_filesystem",
        "Where definitions.local.path is looked for; RabbitMQ's https is not supported.",
        |_, _, v| (v == "local_filesystem").then_some(()),
    ),
];
