//! A table with lines drawn around it. RabbitMQ switches the terminal to its line-drawing set; the
//! same lines are characters of their own here, so that they survive a pipe.

use super::{Cell, Rows};

/// Rows under their header, each line with its end.
pub fn draw(rows: &Rows) -> String {
    let body: Vec<Vec<String>> = rows
        .rows
        .iter()
        .map(|row| row.iter().map(Cell::drawn).collect())
        .collect();
    let widths: Vec<usize> = rows
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let fields = body.iter().filter_map(|row| row.get(at));
            fields
                .chain(std::iter::once(name))
                .map(|field| field.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let rule = |left: &str, middle: &str, right: &str| {
        let dashes: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}\n", dashes.join(middle))
    };
    let line = |fields: &[String]| {
        let fields: Vec<String> = fields
            .iter()
            .zip(&widths)
            .map(|(field, width)| {
                let room = width.saturating_sub(field.chars().count());
                format!(" {field}{} ", " ".repeat(room))
            })
            .collect();
        format!("│{}│\n", fields.join("│"))
    };
    let mut text = rule("┌", "┬", "┐");
    text.push_str(&line(&rows.columns));
    for row in &body {
        text.push_str(&rule("├", "┼", "┤"));
        text.push_str(&line(row));
    }
    text.push_str(&rule("└", "┴", "┘"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_field() {
        let mut rows = Rows::new(&["user", "tags"]);
        rows.rows.push(vec![
            Cell::text("guest"),
            Cell::Words(vec!["administrator".into()]),
        ]);
        let drawn = "┌───────┬───────────────┐\n\
                     │ user  │ tags          │\n\
                     ├───────┼───────────────┤\n\
                     │ guest │ administrator │\n\
                     └───────┴───────────────┘\n";
        assert_eq!(draw(&rows), drawn);
    }
}
