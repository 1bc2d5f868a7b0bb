//! The paths that a source file names, seen from the root of the crate.

/// Every `crate::` path, and every `super::` path, written out from the root.
///
/// `module` is where the file stands. Groups are taken apart, `as` names left out;
/// comments and literals do not count.
pub fn paths_of(source: &str, module: &[String]) -> Vec<Vec<String>> {
    paths_among(source, module, &[])
}

/// The same, and the paths that begin with one of these children of the module.
pub fn paths_among(source: &str, module: &[String], children: &[&str]) -> Vec<Vec<String>> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    // Inline modules: their names, and the depth of braces at which each ends.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            Token::Word("mod") if matches!(tokens.get(at + 2), Some(Token::Sign('{'))) => {
                if let Some(Token::Word(name)) = tokens.get(at + 1) {
                    inline.push(((*name).to_owned(), depth));
                }
            }
            Token::Word(first @ ("crate" | "super")) if matches!(tokens.get(at + 1), Some(Token::Path)) => {
                let mut base: Vec<String> = module.to_vec();
                base.extend(inline.iter().map(|(name, _)| name.clone()));
                if first == "crate" {
                    base.clear();
                } else {
                    base.pop();
                }
                at = tree(&tokens, at + 2, &base, &mut found);
                continue;
            }
            Token::Word(first)
                if children.contains(&first)
                    && matches!(tokens.get(at + 1), Some(Token::Path))
                    && !matches!(at.checked_sub(1).and_then(|before| tokens.get(before)), Some(Token::Path)) =>
            {
                at = tree(&tokens, at, module, &mut found);
                continue;
            }
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => {
                depth -= 1;
                if inline.last().is_some_and(|(_, ends)| *ends == depth) {
                    inline.pop();
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path, or a group of them, below `base`; gives where it ends.
fn tree(tokens: &[Token], mut at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = base.to_vec();
    loop {
        match tokens.get(at) {
            Some(Token::Word("super")) => {
                path.pop();
            }
            Some(Token::Word("self") | Token::Sign('*')) => {}
            Some(Token::Word(word)) => path.push((*word).to_owned()),
            Some(Token::Sign('{')) => return group(tokens, at + 1, &path, found),
            _ => {
                found.push(path);
                return at;
            }
        }
        at += 1;
        if !matches!(tokens.get(at), Some(Token::Path)) {
            found.push(path);
            return at;
        }
        at += 1;
    }
}

fn group(tokens: &[Token], mut at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(at) {
            None => return at,
            Some(Token::Sign('}')) => return at + 1,
            Some(Token::Sign(',')) => at += 1,
            Some(Token::Word("as")) => at += 2,
            Some(_) => at = tree(tokens, at, base, found).max(at + 1),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// `::`
    Path,
    Sign(char),
}

/// Words and signs, without comments and literals.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let (tokens, _) = lexed(source);
    tokens
}

/// The string and character literals of a source with their quotes, those of comments left out.
pub fn literals_of(source: &str) -> Vec<&str> {
    let (_, literals) = lexed(source);
    literals
}

fn lexed(source: &str) -> (Vec<Token<'_>>, Vec<&str>) {
    let (mut tokens, mut literals) = (Vec::new(), Vec::new());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_literal(rest).or_else(|| literal(rest)) {
            literals.push(&rest[..length]);
            length
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..length]));
            length
        } else if rest.starts_with("::") {
            tokens.push(Token::Path);
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    (tokens, literals)
}

/// The length of a raw string at the start of `text`.
fn raw_literal(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inner = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opened = text.len() - inner.len();
    Some(inner.find(&end).map_or(text.len(), |at| opened + at + end.len()))
}

/// The length of a string or character at the start of `text`; a lifetime is none.
fn literal(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            // A lifetime or a label: nothing in quotes goes on after one character.
            _ if quote == '\'' && at > 1 => return None,
            _ => {}
        }
        if quote == '\'' && at > 12 {
            return None;
        }
    }
    None
}

#[test]
#[allow(clippy::needless_raw_string_hashes, reason = "the literal within needs them")]
fn paths_are_found_in_groups_in_expressions_and_above_a_room() {
    let source = r##"
        //! Not `crate::comment::Path`.
        use crate::{a::{B, c::{D, self}}, e::F as G};
        use super::super::h::{I, J};
        use std::fmt;
        mod inner { use super::K; use super::super::super::l::M; }
        fn f<'a>(x: &'a crate::n::O) -> char {
            let _ = "crate::string::Literal";
            let _ = r#"crate::raw::"Literal""#;
            crate::p::q('\'');
            'x'
        }
        pub(crate) struct S;
    "##;
    let module = ["room".to_owned(), "part".to_owned()];
    let found: Vec<String> = paths_of(source, &module).iter().map(|path| path.join("::")).collect();
    let expected = ["a::B", "a::c::D", "a::c", "e::F", "h::I", "h::J", "room::part::K", "l::M", "n::O", "p::q"];
    assert_eq!(found, expected);
}
