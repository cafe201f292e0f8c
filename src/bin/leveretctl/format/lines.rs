//! The formatters: a tab between fields, JSON, one JSON object a line, CSV, lines drawn around, and
//! Erlang terms.

use serde_json::{Value, json};

use super::{Cell, Rows, pretty};

/// A way to write an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Formatter {
    /// Tab-separated lines.
    #[default]
    Table,
    /// Lines drawn around.
    PrettyTable,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    JsonStream,
    /// Comma-separated, every field quoted.
    Csv,
    /// One Erlang term.
    Erlang,
}

impl Formatter {
    /// The names, as they are asked for.
    pub const NAMES: [&'static str; 6] = [
        "table",
        "pretty_table",
        "json",
        "json_stream",
        "csv",
        "erlang",
    ];

    /// The formatter of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "table" | "string" => Self::Table,
            "pretty_table" => Self::PrettyTable,
            "json" => Self::Json,
            "json_stream" => Self::JsonStream,
            "csv" => Self::Csv,
            "erlang" => Self::Erlang,
            _ => return None,
        })
    }

    /// Programs read it: no banner goes before it.
    pub fn is_for_programs(self) -> bool {
        matches!(self, Self::Json | Self::JsonStream | Self::Csv)
    }
}

/// Rows, each line with its end. `header` is false where none is wanted.
pub fn render(rows: &Rows, formatter: Formatter, header: bool) -> String {
    let header = header && rows.headed;
    if rows.rows.is_empty() {
        return nothing(rows, formatter);
    }
    match formatter {
        Formatter::Table => {
            let mut text = String::new();
            if header {
                text.push_str(&rows.columns.join("\t"));
                text.push('\n');
            }
            for row in &rows.rows {
                let fields: Vec<String> = row.iter().map(Cell::plain).collect();
                text.push_str(&fields.join("\t"));
                text.push('\n');
            }
            text
        }
        Formatter::PrettyTable => pretty::draw(rows),
        Formatter::Json => {
            let objects: Vec<String> = objects(rows).collect();
            format!("[\n{}\n]\n", objects.join("\n,"))
        }
        Formatter::JsonStream => objects(rows).map(|object| format!("{object}\n")).collect(),
        Formatter::Csv => {
            let mut text = String::new();
            if header {
                text.push_str(&csv_line(rows.columns.iter().map(String::as_str)));
            }
            for row in &rows.rows {
                let fields: Vec<String> = row.iter().map(Cell::plain).collect();
                text.push_str(&csv_line(fields.iter().map(String::as_str)));
            }
            text
        }
        Formatter::Erlang => {
            let lists: Vec<String> = rows
                .rows
                .iter()
                .map(|row| {
                    let pairs: Vec<String> = rows
                        .columns
                        .iter()
                        .zip(row)
                        .map(|(name, cell)| format!("{{{name},{}}}", cell.term()))
                        .collect();
                    format!("[{}]", pairs.join(","))
                })
                .collect();
            format!("[{}]\n", lists.join(","))
        }
    }
}

fn nothing(rows: &Rows, formatter: Formatter) -> String {
    match (formatter, rows.streamed) {
        (Formatter::Json, true) => "[\n]\n",
        (Formatter::Json, false) => "[]\n",
        (Formatter::Erlang, _) => "[]\n",
        (Formatter::Table | Formatter::PrettyTable, false) => "\n",
        _ => "",
    }
    .to_owned()
}

/// Objects whose keys stand in the order of the columns.
fn objects(rows: &Rows) -> impl Iterator<Item = String> + '_ {
    rows.rows.iter().map(|row| {
        let fields: Vec<String> = rows
            .columns
            .iter()
            .zip(row)
            .map(|(name, cell)| format!("{}:{}", Value::from(name.as_str()), cell.json()))
            .collect();
        format!("{{{}}}", fields.join(","))
    })
}

fn csv_line<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let fields: Vec<String> = fields
        .map(|field| format!("\"{}\"", field.replace('"', "\"\"")))
        .collect();
    format!("{}\n", fields.join(","))
}

/// An answer that is a text: as it is, or as the message of an object.
pub fn render_text(text: &str, formatter: Formatter) -> String {
    match formatter {
        Formatter::Json | Formatter::JsonStream => format!("{}\n", json!({ "message": text })),
        Formatter::Csv => csv_line(std::iter::once(text)),
        _ => format!("{text}\n"),
    }
}

/// What a command did that answers with no more than that it is done.
pub fn render_message(message: Option<&str>, node: &str, formatter: Formatter) -> String {
    match formatter {
        Formatter::Json | Formatter::JsonStream => {
            let object = match message {
                Some(message) => json!({ "message": message, "node": node, "status": "ok" }),
                None => json!({ "node": node, "result": "ok" }),
            };
            format!("{object}\n")
        }
        Formatter::Csv => String::new(),
        _ => message.map_or_else(String::new, |message| format!("{message}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Rows {
        let mut rows = Rows::new(&["user", "tags"]);
        for (user, tags) in [
            ("alice", vec![]),
            ("guest", vec!["administrator".to_owned()]),
        ] {
            rows.rows.push(vec![Cell::text(user), Cell::Words(tags)]);
        }
        rows
    }

    #[test]
    fn a_table_is_separated_by_tabs() {
        let text = "user\ttags\nalice\t[]\nguest\t[administrator]\n";
        assert_eq!(render(&users(), Formatter::Table, true), text);
        let text = "alice\t[]\nguest\t[administrator]\n";
        assert_eq!(render(&users(), Formatter::Table, false), text);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = "[\n{\"user\":\"alice\",\"tags\":[]}\n,{\"user\":\"guest\",\"tags\":[\"administrator\"]}\n]\n";
        assert_eq!(render(&users(), Formatter::Json, true), text);
        let text =
            "{\"user\":\"alice\",\"tags\":[]}\n{\"user\":\"guest\",\"tags\":[\"administrator\"]}\n";
        assert_eq!(render(&users(), Formatter::JsonStream, true), text);
    }

    #[test]
    fn csv_quotes_everything() {
        let text = "\"user\",\"tags\"\n\"alice\",\"[]\"\n\"guest\",\"[administrator]\"\n";
        assert_eq!(render(&users(), Formatter::Csv, true), text);
        let mut rows = Rows::new(&["name"]);
        rows.rows.push(vec![Cell::text("a\"b")]);
        assert_eq!(render(&rows, Formatter::Csv, false), "\"a\"\"b\"\n");
    }

    #[test]
    fn erlang_terms() {
        let text =
            "[[{user,<<\"alice\">>},{tags,[]}],[{user,<<\"guest\">>},{tags,[administrator]}]]\n";
        assert_eq!(render(&users(), Formatter::Erlang, true), text);
    }

    #[test]
    fn lists_without_rows() {
        let mut rows = Rows::new(&["name"]);
        assert_eq!(render(&rows, Formatter::Table, true), "\n");
        assert_eq!(render(&rows, Formatter::Json, true), "[]\n");
        rows.streamed = true;
        assert_eq!(render(&rows, Formatter::Table, true), "");
        assert_eq!(render(&rows, Formatter::Json, true), "[\n]\n");
        assert_eq!(render(&rows, Formatter::Csv, true), "");
    }

    #[test]
    fn what_was_done() {
        assert_eq!(render_message(None, "a@b", Formatter::Table), "");
        assert_eq!(
            render_message(Some("Done."), "a@b", Formatter::Table),
            "Done.\n"
        );
        let text = "{\"node\":\"a@b\",\"status\":\"ok\",\"message\":\"Done.\"}\n";
        let rendered = render_message(Some("Done."), "a@b", Formatter::Json);
        let same = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(same(&rendered), same(text));
    }
}
