//! `passeur transfer`: hand-overs from the command line, by the operator's listener.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use http::Method;
use http_body_util::BodyExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::client::{At, Client, escaped, print};
use super::running;
use super::say::say;

/// A transfer ended otherwise than it should.
const ENDED_BADLY: u8 = super::exit::FAILURE;

/// Hand over what an account has
#[derive(Debug, clap::Args)]
pub(super) struct Transfer {
    #[command(flatten)]
    at: At,
    /// The site, by its name in the configuration
    #[arg(long, value_name = "NAME", env = "PASSEUR_SITE", global = true)]
    site: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what a transfer would do; changes nothing
    Plan(Wanted),
    /// Plan, start and watch a transfer
    Run {
        #[command(flatten)]
        wanted: Wanted,
        /// Start this plan, instead of making one
        #[arg(long, value_name = "HASH", conflicts_with_all = ["source", "recipient", "request"])]
        plan: Option<String>,
        /// Do not wait for its end
        #[arg(long)]
        detach: bool,
    },
    /// Start a transfer for each line of a CSV: all, or none if any line is wrong
    Bulk {
        /// With the columns source, recipient and, if wanted, destination, conflict, shares, after, when
        file: PathBuf,
        /// Plan only
        #[arg(long)]
        dry_run: bool,
    },
    /// List transfers, the latest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show a transfer with its items
    Show {
        /// Its id
        id: String,
    },
    /// Watch a transfer until it is over
    Watch {
        /// Its id
        id: String,
    },
    /// Stop a transfer after what is under way, to go on later
    Pause {
        /// Its id
        id: String,
    },
    /// Go on with a paused transfer, or try again what failed
    Resume {
        /// Its id
        id: String,
    },
    /// End a transfer; what was done stays done
    Cancel {
        /// Its id
        id: String,
    },
    /// Put back everything that a transfer did
    Undo {
        /// Its id
        id: String,
    },
    /// Let a transfer begin that somebody else started
    Approve {
        /// Its id
        id: String,
    },
    /// Show what came of a transfer
    Receipt {
        /// Its id
        id: String,
    },
}

/// What to hand over.
#[derive(Debug, clap::Args)]
struct Wanted {
    /// The account that gives
    #[arg(long, value_name = "UID")]
    source: Option<String>,
    /// The account that receives
    #[arg(long, value_name = "UID")]
    recipient: Option<String>,
    /// Files and folders to hand over, by path or glob (repeatable); all, and everything else, without
    #[arg(long, value_name = "PATH")]
    include: Vec<String>,
    /// Calendars to hand over (repeatable)
    #[arg(long, value_name = "URI")]
    calendar: Vec<String>,
    /// Address books to hand over (repeatable)
    #[arg(long, value_name = "URI")]
    address_book: Vec<String>,
    /// The folder in the recipient's files
    #[arg(long, value_name = "FOLDER")]
    destination: Option<String>,
    /// The other instance: a site of this Passeur by its name, or an address that the site lists
    #[arg(long, value_name = "SITE|URL")]
    target: Option<String>,
    /// Use this engine where it can: server_move, object_move, native, rewrite, stream
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// Carry only what files have now, and not their earlier versions
    #[arg(long)]
    latest_only: bool,
    /// Read everything that is carried again where it arrived
    #[arg(long)]
    reread: bool,
    /// A whole request as JSON, as the API takes it; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "recipient", "include", "calendar", "address_book", "destination", "target", "engine", "latest_only", "reread"])]
    request: Option<PathBuf>,
}

impl Transfer {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let site = self.site.context("name the site: --site NAME")?;
        let client = self.at.client()?;
        running::block_on(async {
            let root = format!("/sites/{}", escaped(&site));
            self.command.run(&client, &root).await
        })
    }
}

impl Command {
    async fn run(self, client: &Client, root: &str) -> anyhow::Result<u8> {
        let one = |id: &str, what: &str| format!("{root}/transfers/{}{what}", escaped(id));
        let (id, action) = match self {
            Command::Plan(wanted) => {
                let request = wanted.request()?;
                let plan =
                    client.ask(Method::POST, &format!("{root}/plans"), Some(&request)).await?;
                show_plan(&plan)?;
                return Ok(0);
            }
            Command::Run { wanted, plan, detach } => {
                let hash = match plan {
                    Some(hash) => hash,
                    None => {
                        let (request, path) = (wanted.request()?, format!("{root}/plans"));
                        let plan = client.ask(Method::POST, &path, Some(&request)).await?;
                        plan["hash"].as_str().context("the plan has no hash")?.to_owned()
                    }
                };
                let path = format!("{root}/transfers");
                let started =
                    client.ask(Method::POST, &path, Some(&json!({ "plan": hash }))).await?;
                let id = started["id"].as_str().context("the transfer has no id")?.to_owned();
                if detach {
                    return print(&started).map(|()| 0);
                }
                return watch(client, &one(&id, ""), &id).await;
            }
            Command::Bulk { file, dry_run } => {
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("failed to read {}", file.display()))?;
                let path = format!("{root}/bulk?dry_run={dry_run}");
                return print(&client.send_csv(&path, text).await?).map(|()| 0);
            }
            Command::List { limit } => {
                let path = format!("{root}/transfers?limit={limit}");
                let list = client.ask(Method::GET, &path, None).await?;
                show_list(&list)?;
                return Ok(0);
            }
            Command::Show { id } => {
                print(&client.ask(Method::GET, &one(&id, ""), None).await?)?;
                return Ok(0);
            }
            Command::Receipt { id } => {
                print(&client.ask(Method::GET, &one(&id, "/receipt"), None).await?)?;
                return Ok(0);
            }
            Command::Watch { id } => return watch(client, &one(&id, ""), &id).await,
            Command::Pause { id } => (id, "/pause"),
            Command::Resume { id } => (id, "/resume"),
            Command::Cancel { id } => (id, "/cancel"),
            Command::Undo { id } => (id, "/undo"),
            Command::Approve { id } => (id, "/approve"),
        };
        let transfer = client.ask(Method::POST, &one(&id, action), None).await?;
        say!("{}", transfer["state"].as_str().unwrap_or_default())?;
        Ok(0)
    }
}

impl Wanted {
    fn request(&self) -> anyhow::Result<Value> {
        if let Some(file) = &self.request {
            let text = match file.as_os_str() == "-" {
                true => std::io::read_to_string(std::io::stdin()).context("failed to read")?,
                false => std::fs::read_to_string(file)
                    .with_context(|| format!("failed to read {}", file.display()))?,
            };
            return serde_json::from_str(&text).context("the request is no JSON");
        }
        let source = self.source.as_ref().context("name the account that gives: --source UID")?;
        let recipient =
            self.recipient.as_ref().context("name the account that receives: --recipient UID")?;
        let parts = [
            ("include", &self.include),
            ("calendars", &self.calendar),
            ("address_books", &self.address_book),
        ];
        let mut selection = serde_json::Map::new();
        for (name, values) in parts {
            if !values.is_empty() {
                selection.insert(name.to_owned(), json!(values));
            }
        }
        let selection = if selection.is_empty() { json!("all") } else { Value::Object(selection) };
        let mut request = json!({
            "source": source, "recipient": recipient, "selection": selection
        });
        if let Some(destination) = &self.destination {
            request["destination"] = json!(destination);
        }
        if let Some(target) = &self.target {
            request["target"] = json!({ "url": target });
        }
        if let Some(engine) = &self.engine {
            request["engine"] = json!(engine);
        }
        if self.latest_only {
            request["versions"] = json!("latest");
        }
        if self.reread {
            request["verify"] = json!("reread");
        }
        Ok(request)
    }
}

fn is_for_people() -> bool {
    std::io::stdout().is_terminal()
}

fn show_plan(plan: &Value) -> anyhow::Result<()> {
    if !is_for_people() {
        return print(plan);
    }
    for item in list(plan, "items") {
        say!(
            "{:<12} {}  by {}, {} objects, {} bytes",
            text(item, "kind"),
            plain(text(item, "name")),
            text(item, "engine"),
            item["count"],
            item["size"]
        )?;
        for (word, mark) in [("kept", "+"), ("lost", "-")] {
            for what in list(item, word).iter().filter_map(|what| what.as_str()) {
                say!("             {mark} {}", plain(what))?;
            }
        }
    }
    for (name, word, field) in [("stays", "excluded", "reason"), ("blocks", "blocking", "detail")] {
        for one in list(plan, word) {
            say!("{name:<12} {} {}", plain(text(one, "path")), plain(text(one, field)))?;
        }
    }
    say!(
        "\nStart it with: passeur transfer run --site {} --plan {}",
        text(plan, "site"),
        text(plan, "hash")
    )?;
    Ok(())
}

fn show_list(all: &Value) -> anyhow::Result<()> {
    if !is_for_people() {
        return print(all);
    }
    for one in list(all, "transfers") {
        let recipients: Vec<&str> =
            list(one, "recipients").iter().filter_map(|name| name.as_str()).collect();
        let (done, total) = (&one["progress"]["items_done"], &one["progress"]["items"]);
        say!(
            "{}  {:<10} {} to {}  {done}/{total}  {}",
            text(one, "id"),
            text(one, "state"),
            plain(text(one, "source")),
            plain(&recipients.join(", ")),
            text(one, "created_at")
        )?;
    }
    Ok(())
}

/// Shows how far a transfer is until it is over: a bar for people, lines of JSON for programs.
async fn watch(client: &Client, path: &str, id: &str) -> anyhow::Result<u8> {
    let bar = is_for_people().then(|| {
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} {elapsed} {msg}");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let mut body = client.stream(&format!("{path}/events")).await?.into_body();
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.context("the operator's listener broke off")?.into_data() else {
            continue;
        };
        rest.extend_from_slice(&data);
        while let Some(end) = memchr::memchr(b'\n', &rest) {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Some(event) = line.strip_prefix(b"data:") else { continue };
            let event: Value = serde_json::from_slice(event).context("an event is no JSON")?;
            match &bar {
                None => say!("{event}")?,
                Some(bar) => {
                    let number = |name: &str| event["progress"][name].as_u64().unwrap_or_default();
                    bar.set_length(number("objects"));
                    bar.set_position(number("objects_done"));
                    bar.set_message(plain(text(&event, "text")));
                }
            }
        }
    }
    let transfer = client.ask(Method::GET, path, None).await?;
    let state = text(&transfer, "state");
    if let Some(bar) = bar {
        bar.finish_and_clear();
        say!("{id}  {state}")?;
    }
    let is_well = matches!(state, "done" | "undone" | "cancelled");
    Ok(if is_well { 0 } else { ENDED_BADLY })
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Text from elsewhere, without what would drive a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
