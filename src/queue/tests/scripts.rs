//! Every script in `src/queue/testdata`, each a test of its own. That none is forgotten here is
//! checked by the tidy test.

use super::script::run;

macro_rules! scripts {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                let file = concat!("src/queue/testdata/", stringify!($name), ".txt");
                run(file, include_str!(concat!("../testdata/", stringify!($name), ".txt")));
            }
        )+
    };
}

scripts!(
    at_least_once,
    cancel,
    counters,
    delivery_limit,
    expiry,
    get,
    leases,
    length,
    length_bytes,
    overflow_reject,
    parked,
    prefetch,
    priorities,
    purge,
    redelivered,
    requeue,
    round_robin,
    single_active_consumer,
);
