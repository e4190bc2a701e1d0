//! The properties that Nextcloud has on files, calendars and address books.
//!
//! Two namespaces are both called `nc`: files use `http://nextcloud.org/ns`, what calendars and
//! address books have besides their RFCs is in `http://nextcloud.com/ns`.

use crate::dav::client::Property;

/// Of ownCloud's time.
pub const OC: &str = "http://owncloud.org/ns";
/// Of files.
pub const NC: &str = "http://nextcloud.org/ns";
/// Of calendars and address books.
pub const NC_COM: &str = "http://nextcloud.com/ns";
/// RFC 4791.
pub const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// RFC 6352.
pub const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
/// Apple's calendar server.
pub const CALENDARSERVER: &str = "http://calendarserver.org/ns/";
/// Apple's calendar app.
pub const APPLE: &str = "http://apple.com/ns/ical/";

/// What it is: `collection`, `calendar`, …
pub const RESOURCE_TYPE: Property = Property::dav("resourcetype");
/// The name that people see.
pub const DISPLAY_NAME: Property = Property::dav("displayname");
/// The entity tag.
pub const ETAG: Property = Property::dav("getetag");
/// When it was changed last (RFC 9110 date).
pub const LAST_MODIFIED: Property = Property::dav("getlastmodified");
/// Bytes of a file.
pub const CONTENT_LENGTH: Property = Property::dav("getcontentlength");
/// What kind of file.
pub const CONTENT_TYPE: Property = Property::dav("getcontenttype");
/// Bytes that fit in.
pub const QUOTA_AVAILABLE: Property = Property::dav("quota-available-bytes");
/// Bytes that are used.
pub const QUOTA_USED: Property = Property::dav("quota-used-bytes");
/// `principals/users/UID`, as an address.
pub const OWNER: Property = Property::dav("owner");
/// What a client synchronises from.
pub const SYNC_TOKEN: Property = Property::dav("sync-token");

/// Bytes, with all that is below.
pub const SIZE: Property = Property::new(OC, "size");
/// The number of a file within its instance; renaming and moving keep it.
pub const FILE_ID: Property = Property::new(OC, "fileid");
/// Whose it is.
pub const OWNER_ID: Property = Property::new(OC, "owner-id");
/// What may be done: letters, of which `S` is "shared with me", `M` "mounted", `R` "may be shared".
pub const PERMISSIONS: Property = Property::new(OC, "permissions");
/// The kinds of shares there are of it.
pub const SHARE_TYPES: Property = Property::new(OC, "share-types");
/// Whether the account likes it: 0 or 1.
pub const FAVORITE: Property = Property::new(OC, "favorite");
/// `SHA1:… MD5:…`.
pub const CHECKSUMS: Property = Property::new(OC, "checksums");
/// Whose calendar it is: `principals/users/UID`; empty where it is one's own.
pub const OWNER_PRINCIPAL: Property = Property::new(OC, "owner-principal");
/// With whom a calendar or an address book is shared.
pub const INVITE: Property = Property::new(OC, "invite");

/// What a folder is mounted from: empty for the account's own, `shared`, `group`, `external` …
pub const MOUNT_TYPE: Property = Property::new(NC, "mount-type");
/// Whether it is end-to-end encrypted.
pub const IS_ENCRYPTED: Property = Property::new(NC, "is-encrypted");
/// Seconds since 1970 at which it was made.
pub const CREATION_TIME: Property = Property::new(NC, "creation_time");
/// Files directly in a folder.
pub const FILE_COUNT: Property = Property::new(NC, "contained-file-count");
/// Folders directly in a folder.
pub const FOLDER_COUNT: Property = Property::new(NC, "contained-folder-count");
/// Who holds a lock on it.
pub const LOCK_OWNER: Property = Property::new(NC, "lock-owner");
/// Whether it is locked: empty or 1.
pub const LOCK: Property = Property::new(NC, "lock");

/// The parts a calendar may have: `VEVENT`, `VTODO`.
pub const COMPONENTS: Property = Property::new(CALDAV, "supported-calendar-component-set");
/// What a calendar is about.
pub const CALENDAR_DESCRIPTION: Property = Property::new(CALDAV, "calendar-description");
/// Its time zone, as iCalendar.
pub const CALENDAR_TIMEZONE: Property = Property::new(CALDAV, "calendar-timezone");
/// Whether it says nothing about being free or busy.
pub const TRANSPARENT: Property = Property::new(CALDAV, "schedule-calendar-transp");
/// The iCalendar of an object.
pub const CALENDAR_DATA: Property = Property::new(CALDAV, "calendar-data");
/// The addresses an account is invited at.
pub const USER_ADDRESSES: Property = Property::new(CALDAV, "calendar-user-address-set");
/// What an address book is about.
pub const ADDRESSBOOK_DESCRIPTION: Property = Property::new(CARDDAV, "addressbook-description");
/// Its colour.
pub const CALENDAR_COLOR: Property = Property::new(APPLE, "calendar-color");
/// Its place in a list.
pub const CALENDAR_ORDER: Property = Property::new(APPLE, "calendar-order");
/// The address of a public link to a calendar.
pub const PUBLISH_URL: Property = Property::new(CALENDARSERVER, "publish-url");
/// The address a subscribed calendar comes from.
pub const SOURCE: Property = Property::new(CALENDARSERVER, "source");
/// What changes with every change in a collection.
pub const CTAG: Property = Property::new(CALENDARSERVER, "getctag");
/// When a calendar or an object was deleted.
pub const DELETED_AT: Property = Property::new(NC_COM, "deleted-at");
