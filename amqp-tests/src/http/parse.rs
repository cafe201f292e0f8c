//! Reads JSON, RFC 8259. Strict: what a client's parser may refuse is refused.

use super::Json;

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 64;

type Parsed<T> = std::result::Result<T, String>;

/// One JSON value and nothing after it.
pub fn json(text: &str) -> Parsed<Json> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return reader.wrong("more after the value");
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, what: &str) -> Parsed<T> {
        Err(format!("not JSON: {what} at {}", self.at))
    }
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
    fn space(&mut self) {
        while self.peek().is_some_and(|b| b" \t\r\n".contains(&b)) {
            self.at += 1;
        }
    }
    fn eat(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }
    fn value(&mut self, depth: usize) -> Parsed<Json> {
        if depth > DEPTH_MAX {
            return self.wrong("too deep");
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Str(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.eat("null") => Ok(Json::Null),
            _ if self.eat("true") => Ok(Json::Bool(true)),
            _ if self.eat("false") => Ok(Json::Bool(false)),
            _ => self.wrong("no value"),
        }
    }
    fn list(&mut self, depth: usize) -> Parsed<Json> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat("]") {
                return Ok(Json::List(items));
            }
            if !self.eat(",") {
                return self.wrong("neither , nor ]");
            }
        }
    }
    fn object(&mut self, depth: usize) -> Parsed<Json> {
        self.at += 1;
        let mut fields: Vec<(String, Json)> = Vec::new();
        self.space();
        if self.eat("}") {
            return Ok(Json::Object(fields));
        }
        loop {
            self.space();
            let key = self.string()?;
            if fields.iter().any(|(name, _)| *name == key) {
                return self.wrong(&format!("key {key} twice"));
            }
            self.space();
            if !self.eat(":") {
                return self.wrong("no :");
            }
            fields.push((key, self.value(depth + 1)?));
            self.space();
            if self.eat("}") {
                return Ok(Json::Object(fields));
            }
            if !self.eat(",") {
                return self.wrong("neither , nor }");
            }
        }
    }
    fn string(&mut self) -> Parsed<String> {
        if !self.eat("\"") {
            return self.wrong("no string");
        }
        let mut out = String::new();
        loop {
            let Some(c) = self.text[self.at..].chars().next() else {
                return self.wrong("a string without end");
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if (c as u32) < 32 => return self.wrong("a bare control character"),
                c => out.push(c),
            }
        }
    }
    fn escape(&mut self) -> Parsed<char> {
        let Some(b) = self.peek() else {
            return self.wrong("a string without end");
        };
        self.at += 1;
        Ok(match b {
            b'"' | b'\\' | b'/' => b as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.wrong("an unknown escape"),
        })
    }
    fn unicode(&mut self) -> Parsed<char> {
        let high = self.hex()?;
        let code = if (0xD800..0xDC00).contains(&high) && self.eat("\\u") {
            let low = self.hex()?;
            if !(0xDC00..0xE000).contains(&low) {
                return self.wrong("half a surrogate pair");
            }
            0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        } else {
            high
        };
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.wrong("half a surrogate pair"),
        }
    }
    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or("");
        match u32::from_str_radix(digits, 16) {
            Ok(code) => {
                self.at += 4;
                Ok(code)
            }
            Err(_) => self.wrong("no four hexadecimal digits"),
        }
    }
    fn number(&mut self) -> Parsed<Json> {
        let start = self.at;
        let part = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
        while self.peek().is_some_and(part) {
            self.at += 1;
        }
        let digits = &self.text[start..self.at];
        let bare = digits.trim_start_matches('-');
        if bare.len() > 1 && bare.starts_with('0') && bare.as_bytes()[1].is_ascii_digit() {
            return self.wrong("a leading zero");
        }
        if let Ok(n) = digits.parse() {
            return Ok(Json::Int(n));
        }
        match digits.parse::<f64>() {
            Ok(n) => Ok(Json::Float(n)),
            Err(_) => self.wrong("no number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn values_come_back_as_they_were() {
        for text in [
            "null",
            "[true,false,-1,0.5,[],{}]",
            r#"{"a":{"b":[{"c":"d\"\\"}]},"e":12345678901}"#,
        ] {
            assert_eq!(json(text).unwrap().to_string(), text);
        }
        assert_eq!(json(r#""\u00e9\ud83d\ude00\n""#).unwrap().text(), "é😀\n");
        assert_eq!(json(" [ 1 , 2 ] ").unwrap().to_string(), "[1,2]");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "01",
            "\"\n\"",
            "tru",
            "1 2",
            "{\"a\":1,\"a\":2}",
            "\"\\ud800\"",
            "NaN",
        ] {
            assert!(json(text).is_err(), "{text}");
        }
        assert!(json(&"[".repeat(1000)).is_err());
    }
}
