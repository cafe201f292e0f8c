//! `_details`: how fast a number changes, and its samples where they are asked for.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When, in milliseconds since the epoch.
    pub at: u64,
    /// What.
    pub value: u64,
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("sample", &self.value)?;
        map.serialize_entry("timestamp", &self.at)?;
        map.end()
    }
}

/// A rate, and the samples of a range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// Per second, between the last two rounds.
    pub rate: f64,
    /// The newest first; `None` where no range is asked for.
    pub samples: Option<Vec<Sample>>,
}

impl Details {
    /// A number that nobody samples.
    pub fn still() -> Self {
        Self::default()
    }

    /// A rate alone.
    pub fn rate(rate: f64) -> Self {
        Self {
            rate,
            samples: None,
        }
    }
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rate", &self.rate)?;
        if let Some(samples) = &self.samples {
            map.serialize_entry("samples", samples)?;
            let sum: f64 = samples.iter().map(|sample| sample.value as f64).sum();
            let (mut avg, mut avg_rate) = (0.0, 0.0);
            if let (Some(first), Some(last)) = (samples.first(), samples.last()) {
                avg = sum / samples.len() as f64;
                let seconds = first.at.saturating_sub(last.at) as f64 / 1000.0;
                if seconds > 0.0 {
                    avg_rate = (first.value as f64 - last.value as f64) / seconds;
                }
            }
            map.serialize_entry("avg_rate", &avg_rate)?;
            map.serialize_entry("avg", &avg)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn samples_bring_their_averages() {
        let sample = |at, value| Sample { at, value };
        let details = Details {
            rate: 1.5,
            samples: Some(vec![
                sample(20_000, 30),
                sample(15_000, 20),
                sample(10_000, 10),
            ]),
        };
        let shown = serde_json::to_value(&details).unwrap();
        assert_eq!(shown["avg"], json!(20.0));
        assert_eq!(shown["avg_rate"], json!(2.0));
        assert_eq!(
            shown["samples"][0],
            json!({ "sample": 30, "timestamp": 20_000 })
        );
        let plain = serde_json::to_value(Details::rate(0.0)).unwrap();
        assert_eq!(plain, json!({ "rate": 0.0 }));
        let none = Details {
            rate: 0.0,
            samples: Some(Vec::new()),
        };
        assert_eq!(serde_json::to_value(&none).unwrap()["avg"], json!(0.0));
    }
}
