//! What the instance says it can do: the features that clients look for and that are really here.

use serde_json::{Value, json};

use crate::demo::VERSION;

/// The apps that count as enabled.
pub(super) const APPS: [&str; 21] = [
    "app_api",
    "calendar",
    "circles",
    "cloud_federation_api",
    "contacts",
    "dashboard",
    "dav",
    "deck",
    "files",
    "files_sharing",
    "files_trashbin",
    "files_versions",
    "forms",
    "notifications",
    "polls",
    "provisioning_api",
    "settings",
    "spreed",
    "tables",
    "theming",
    "user_status",
];

/// The data of `cloud/capabilities`.
pub(super) fn capabilities(base: &str, known: bool) -> Value {
    let mut numbers = VERSION.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (major, minor, micro) = (next(), next(), next());
    let mut capabilities = json!({
        "bruteforce": { "delay": 0, "allow-listed": false },
        "theming": {
            "name": "Nextcloud", "productName": "Nextcloud", "url": "https://nextcloud.com",
            "slogan": "a stand-in", "color": "#00679e", "color-text": "#ffffff",
            "color-element": "#00679e", "logo": format!("{base}/core/img/logo.svg"),
            "background": "#00679e", "background-plain": true, "background-default": true,
        },
    });
    if known && let (Value::Object(all), Value::Object(more)) = (&mut capabilities, for_users()) {
        all.extend(more);
    }
    json!({
        "version": { "major": major, "minor": minor, "micro": micro,
            "string": format!("{major}.{minor}.{micro}"), "edition": "", "extendedSupport": false },
        "capabilities": capabilities,
    })
}

fn for_users() -> Value {
    json!({
        "core": { "pollinterval": 60, "webdav-root": "remote.php/webdav", "reference-api": false,
            "mod-rewrite-working": true, "can-create-app-token": true },
        "app_api": { "loglevel": 2, "version": "34.0.0" },
        "dav": { "chunking": "1.0", "public_shares_chunking": false, "bulkupload": "1.0" },
        "files": {
            "bigfilechunking": true, "comments": false, "undelete": true, "delete_from_trash": true,
            "versioning": true, "version_labeling": false, "version_deletion": true,
            "blacklisted_files": [".htaccess"], "forbidden_filenames": [".htaccess"],
            "forbidden_filename_basenames": [], "forbidden_filename_characters": ["\\", "/"],
            "forbidden_filename_extensions": [".filepart", ".part"],
            "chunked_upload": { "max_size": 104_857_600, "max_parallel_count": 5 },
            "windows_compatible_filenames": false,
        },
        "files_sharing": {
            "api_enabled": true, "resharing": true, "group_sharing": true,
            "default_permissions": 31,
            "public": { "enabled": true, "password": { "enforced": false,
                "askForOptionalPassword": false }, "expire_date": { "enabled": false },
                "multiple_links": true, "send_mail": false, "upload": false,
                "upload_files_drop": false, "custom_tokens": false },
            "user": { "send_mail": false, "expire_date": { "enabled": true } },
            "group": { "enabled": true, "expire_date": { "enabled": true } },
            "federation": { "outgoing": false, "incoming": false },
            "sharee": { "query_lookup_default": false, "always_show_unique": true },
        },
        "notifications": {
            "ocs-endpoints": ["list", "get", "delete", "delete-all", "icons", "rich-strings"],
            "admin-notifications": ["ocs", "cli"],
        },
        "user_status": { "enabled": true, "restore": false, "supports_emoji": true,
            "supports_busy": true },
        "provisioning_api": { "version": "1.24.0", "AccountPropertyScopesVersion": 2 },
    })
}

/// The data of `core/navigation/apps`.
pub(super) fn navigation(base: &str) -> Value {
    let apps = [
        ("dashboard", "Dashboard"),
        ("files", "Files"),
        ("calendar", "Calendar"),
        ("contacts", "Contacts"),
    ];
    let entry = |(i, (id, name)): (usize, &(&str, &str))| {
        json!({ "id": id, "order": i, "href": format!("{base}/apps/{id}/"), "name": name,
            "type": "link", "active": false, "icon": format!("{base}/core/img/logo.svg") })
    };
    apps.iter().enumerate().map(entry).collect()
}
