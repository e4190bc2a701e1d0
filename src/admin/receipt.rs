//! A receipt as a page for people: to print, to keep, without a script.

use std::fmt::Write;

use crate::transfer::model::{ItemReceipt, Receipt, ShareOutcome};

/// The page.
#[must_use]
pub(super) fn page(receipt: &Receipt) -> String {
    let title = format!("Hand-over of {}", escaped(&receipt.source));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>\n"
    );
    let state = receipt.state.word().replace('_', " ");
    for (name, value) in [
        ("Site", Some(receipt.site.as_str())),
        ("State", Some(state.as_str())),
        ("Started by", Some(receipt.by.as_str())),
        ("Approved by", receipt.approved_by.as_deref()),
        ("Started", Some(receipt.created_at.as_str())),
        ("Ended", receipt.ended_at.as_deref()),
        ("Can be undone until", receipt.undo_until.as_deref()),
        ("Transfer", Some(receipt.id.to_string().as_str())),
        ("Plan", Some(receipt.plan.as_str())),
    ] {
        if let Some(value) = value {
            let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(value));
        }
    }
    page.push_str("</dl>\n");
    list(&mut page, "Notes", &receipt.notes);
    for one in &receipt.items {
        item(&mut page, one);
    }
    page.push_str("</body>\n</html>\n");
    page
}

const STYLE: &str = "body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; \
margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }\n\
dt { font-weight: 600 }\ndd { margin: 0 0 .5rem }\n\
section { border-top: 1px solid #ccc; break-inside: avoid }\n\
td, th { text-align: left; padding: .2rem .8rem .2rem 0; overflow-wrap: anywhere }\n";

fn item(page: &mut String, item: &ItemReceipt) {
    let _ = writeln!(page, "<section>\n<h2>{}</h2>", escaped(&item.name));
    let _ = writeln!(
        page,
        "<p>{} of {} is now {} of {}: {}</p>",
        escaped(&item.from),
        "the source",
        escaped(&item.to),
        escaped(&item.recipient),
        item.state.word()
    );
    if let Some(error) = &item.error {
        let _ = writeln!(page, "<p><strong>{}</strong></p>", escaped(error));
    }
    list(page, "Kept", &item.kept);
    list(page, "Lost", &item.lost);
    if let Some(check) = &item.check {
        let _ = writeln!(
            page,
            "<p>Verified by {}: {} of {} objects, {} of {} bytes.</p>",
            escaped(&check.over),
            check.count_after,
            check.count_before,
            check.size_after,
            check.size_before
        );
    }
    if !item.shares.is_empty() {
        page.push_str("<table>\n<tr><th>Share</th><th>With</th><th>Became</th></tr>\n");
        for share in &item.shares {
            let became = match share.outcome {
                ShareOutcome::Kept => "kept",
                ShareOutcome::Remade => "made again",
                ShareOutcome::Lost => "lost",
            };
            let link = share.link.as_ref().map_or_else(String::new, |link| {
                let new = link.new.as_deref().unwrap_or("nothing");
                format!(": {} is now {}", link.old, new)
            });
            let with = if share.with.is_empty() { "a public link" } else { &share.with };
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(&share.path),
                escaped(with),
                escaped(&format!("{became}{link} {}", share.note))
            );
        }
        page.push_str("</table>\n");
    }
    page.push_str("</section>\n");
}

fn list(page: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(page, "<h3>{title}</h3>\n<ul>");
    for line in lines {
        let _ = writeln!(page, "<li>{}</li>", escaped(line));
    }
    page.push_str("</ul>\n");
}

/// Text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
