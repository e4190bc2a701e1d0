-- A small site: the tables that hand-overs touch, with a row for each case.
-- {id}, {json}, {when} and {user} are spelled by each database; *PREFIX* is the test's own.
-- alice leaves, bob gets; carol and dave see something. The group board is alice and bob.

CREATE TABLE *PREFIX*users (uid VARCHAR(64) NOT NULL PRIMARY KEY, displayname VARCHAR(64), password VARCHAR(255));
CREATE TABLE *PREFIX*accounts (uid VARCHAR(64) NOT NULL PRIMARY KEY, data TEXT);
CREATE TABLE *PREFIX*group_user (gid VARCHAR(64) NOT NULL, uid VARCHAR(64) NOT NULL, PRIMARY KEY (gid, uid));
CREATE TABLE *PREFIX*appconfig (appid VARCHAR(32) NOT NULL, configkey VARCHAR(64) NOT NULL, configvalue TEXT, PRIMARY KEY (appid, configkey));
CREATE TABLE *PREFIX*migrations (app VARCHAR(255) NOT NULL, version VARCHAR(255) NOT NULL, PRIMARY KEY (app, version));
CREATE TABLE *PREFIX*preferences (userid VARCHAR(64) NOT NULL, appid VARCHAR(32) NOT NULL, configkey VARCHAR(64) NOT NULL, configvalue TEXT, lazy SMALLINT DEFAULT 0 NOT NULL, type SMALLINT DEFAULT 0 NOT NULL, PRIMARY KEY (userid, appid, configkey));
CREATE TABLE *PREFIX*storages (numeric_id {id}, id VARCHAR(64), available INTEGER DEFAULT 1 NOT NULL);
CREATE TABLE *PREFIX*mimetypes (id {id}, mimetype VARCHAR(255) NOT NULL);
CREATE TABLE *PREFIX*filecache (fileid {id}, storage BIGINT NOT NULL, path VARCHAR(4000), path_hash VARCHAR(32) NOT NULL, parent BIGINT NOT NULL, name VARCHAR(250), mimetype BIGINT NOT NULL, size BIGINT NOT NULL, mtime BIGINT NOT NULL, encrypted INTEGER DEFAULT 0 NOT NULL, etag VARCHAR(40));
CREATE UNIQUE INDEX *PREFIX*fs_storage_path_hash ON *PREFIX*filecache (storage, path_hash);
CREATE TABLE *PREFIX*mounts (id {id}, storage_id BIGINT NOT NULL, root_id BIGINT NOT NULL, user_id VARCHAR(64) NOT NULL, mount_point VARCHAR(4000) NOT NULL);
CREATE TABLE *PREFIX*share (id {id}, share_type SMALLINT DEFAULT 0 NOT NULL, share_with VARCHAR(255), password VARCHAR(255), uid_owner VARCHAR(64) DEFAULT '' NOT NULL, uid_initiator VARCHAR(64), parent BIGINT, item_type VARCHAR(64) DEFAULT '' NOT NULL, item_source VARCHAR(255), file_source BIGINT, file_target VARCHAR(512), permissions SMALLINT DEFAULT 0 NOT NULL, stime BIGINT DEFAULT 0 NOT NULL, expiration {when}, token VARCHAR(32), password_by_talk BOOLEAN DEFAULT FALSE, note TEXT, label VARCHAR(255), attributes {json}, reminder_sent BOOLEAN DEFAULT FALSE);
CREATE TABLE *PREFIX*calendars (id {id}, principaluri VARCHAR(255), displayname VARCHAR(255), uri VARCHAR(255), synctoken INTEGER DEFAULT 1 NOT NULL, calendarcolor VARCHAR(255), deleted_at INTEGER);
CREATE UNIQUE INDEX *PREFIX*calendars_index ON *PREFIX*calendars (principaluri, uri);
CREATE TABLE *PREFIX*calendarsubscriptions (id {id}, uri VARCHAR(255), principaluri VARCHAR(255), source TEXT);
CREATE TABLE *PREFIX*calendarobjects (id {id}, uri VARCHAR(255), calendarid BIGINT NOT NULL, lastoccurence BIGINT, uid VARCHAR(512), calendartype INTEGER DEFAULT 0 NOT NULL, deleted_at INTEGER);
CREATE TABLE *PREFIX*calendarobjects_props (id {id}, calendarid BIGINT NOT NULL, objectid BIGINT NOT NULL, name VARCHAR(64), parameter VARCHAR(64), value VARCHAR(255), calendartype INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE *PREFIX*calendar_invitations (id {id}, uid VARCHAR(512) NOT NULL, attendee VARCHAR(255) NOT NULL, organizer VARCHAR(255) NOT NULL, token VARCHAR(60) NOT NULL);
CREATE TABLE *PREFIX*calendar_appt_configs (id {id}, user_id VARCHAR(64) NOT NULL, target_calendar_uri VARCHAR(255) NOT NULL);
CREATE TABLE *PREFIX*schedulingobjects (id {id}, principaluri VARCHAR(255), uri VARCHAR(255));
CREATE TABLE *PREFIX*dav_shares (id {id}, principaluri VARCHAR(255), type VARCHAR(255), access SMALLINT, resourceid BIGINT NOT NULL, publicuri VARCHAR(255), token VARCHAR(255));
CREATE UNIQUE INDEX *PREFIX*dav_shares_index ON *PREFIX*dav_shares (principaluri, resourceid, type, publicuri);
CREATE TABLE *PREFIX*addressbooks (id {id}, principaluri VARCHAR(255), displayname VARCHAR(255), uri VARCHAR(255), description VARCHAR(255), synctoken INTEGER DEFAULT 1 NOT NULL);
CREATE UNIQUE INDEX *PREFIX*addressbook_index ON *PREFIX*addressbooks (principaluri, uri);
CREATE TABLE *PREFIX*cards (id {id}, addressbookid BIGINT NOT NULL, uri VARCHAR(255));
CREATE TABLE *PREFIX*properties (id {id}, userid VARCHAR(64) DEFAULT '' NOT NULL, propertypath VARCHAR(255) DEFAULT '' NOT NULL, propertyname VARCHAR(255) DEFAULT '' NOT NULL, propertyvalue TEXT NOT NULL, valuetype SMALLINT DEFAULT 1);
CREATE TABLE *PREFIX*vcategory (id {id}, uid VARCHAR(64) DEFAULT '' NOT NULL, type VARCHAR(64) DEFAULT '' NOT NULL, category VARCHAR(255) DEFAULT '' NOT NULL);
CREATE TABLE *PREFIX*vcategory_to_object (objid BIGINT NOT NULL, categoryid BIGINT NOT NULL, type VARCHAR(64) NOT NULL, PRIMARY KEY (categoryid, objid, type));
CREATE TABLE *PREFIX*files_reminders (id {id}, user_id VARCHAR(64) NOT NULL, file_id BIGINT NOT NULL, due_date {when} NOT NULL, notified BOOLEAN DEFAULT FALSE);
CREATE UNIQUE INDEX *PREFIX*reminders_uniq_idx ON *PREFIX*files_reminders (user_id, file_id, due_date);
CREATE TABLE *PREFIX*files_trash (auto_id {id}, id VARCHAR(250) NOT NULL, {user} VARCHAR(64) NOT NULL, location VARCHAR(512) NOT NULL);
CREATE TABLE *PREFIX*files_versions (id {id}, file_id BIGINT NOT NULL, size BIGINT NOT NULL);
CREATE TABLE *PREFIX*systemtag_object_mapping (objectid VARCHAR(64) NOT NULL, objecttype VARCHAR(64) NOT NULL, systemtagid BIGINT NOT NULL);
CREATE TABLE *PREFIX*deck_boards (id {id}, owner VARCHAR(64) NOT NULL, deleted_at BIGINT DEFAULT 0 NOT NULL);
CREATE TABLE *PREFIX*circles_member (id {id}, single_id VARCHAR(31), circle_id VARCHAR(31) NOT NULL, user_id VARCHAR(127) NOT NULL, user_type SMALLINT NOT NULL, level SMALLINT NOT NULL);

INSERT INTO *PREFIX*users (uid, displayname) VALUES ('alice', 'Alice'), ('bob', 'Bob'), ('carol', NULL), ('dave', 'Dave');
INSERT INTO *PREFIX*accounts (uid, data) VALUES ('alice', '[]'), ('bob', '[]'), ('erin', '[]');
INSERT INTO *PREFIX*group_user (gid, uid) VALUES ('board', 'alice'), ('board', 'bob');
INSERT INTO *PREFIX*appconfig (appid, configkey, configvalue) VALUES ('circles', 'installed_version', '34.0.0'), ('core', 'vendor', 'nextcloud');
INSERT INTO *PREFIX*migrations (app, version) VALUES ('core', '13000Date20170705121758'), ('core', '34000Date20260521110333'), ('dav', '1039Date20260408000000');
INSERT INTO *PREFIX*preferences (userid, appid, configkey, configvalue, type) VALUES ('alice', 'settings', 'email', 'alice@example.org', 0), ('alice', 'files', 'quota', '5 GB', 0), ('alice', 'login', 'lastLogin', '1795327839', 0), ('dave', 'core', 'enabled', 'false', 0), ('erin', 'user_ldap', 'displayName', 'Erin of LDAP', 0), ('alice', 'dav', 'defaultCalendar', 'asso', 0), ('bob', 'files_sharing', 'user_needs_share_refresh', '0', 4), ('carol', 'files_sharing', 'user_needs_share_refresh', '0', 4), ('dave', 'files_sharing', 'user_needs_share_refresh', '0', 4);
INSERT INTO *PREFIX*storages (numeric_id, id) VALUES (1, 'home::alice'), (2, 'home::bob'), (3, 'object::user:carol');
INSERT INTO *PREFIX*mimetypes (id, mimetype) VALUES (1, 'httpd'), (2, 'httpd/unix-directory'), (3, 'text/plain');

-- What alice had and bob has now: Association, in the folder that it was moved into. It was
-- Association before, and Helper/Association while alice moved it.
INSERT INTO *PREFIX*filecache (fileid, storage, path, path_hash, parent, name, mimetype, size, mtime, encrypted, etag) VALUES
  (1, 1, '', 'd41d8cd98f00b204e9800998ecf8427e', -1, '', 2, 900, 1795327001, 0, 'e1'),
  (2, 1, 'files', '45b963397aa40d4a0063e0d85e4fe7a1', 1, 'files', 2, 900, 1795327002, 0, 'e2'),
  (3, 1, 'files/Private', 'fc64e4b95887a8dbefc93ece5c70965b', 2, 'Private', 2, 900, 1795327003, 0, 'e3'),
  (4, 1, 'files/Private/100%_a.txt', '95770f9455b06c59c77eb35027a7e94d', 3, '100%_a.txt', 3, 900, 1795327004, 0, 'e4'),
  (5, 1, 'files/PrivateX.txt', '3a0b577461c4dac8a6e844041ce2914e', 2, 'PrivateX.txt', 3, 7, 1795327005, 1, 'e5'),
  (10, 2, '', 'd41d8cd98f00b204e9800998ecf8427e', -1, '', 2, 60, 1795327010, 0, 'e10'),
  (11, 2, 'files', '45b963397aa40d4a0063e0d85e4fe7a1', 10, 'files', 2, 60, 1795327011, 0, 'e11'),
  (12, 2, 'files/From alice', '44d6a64295f955361f56eb6c7c0cc53f', 11, 'From alice', 2, 60, 1795327012, 0, 'e12'),
  (20, 2, 'files/From alice/Association', '7d64b0805a19e2b0e29ba57a5ff3e50f', 12, 'Association', 2, 60, 1795327020, 0, 'e20'),
  (21, 2, 'files/From alice/Association/Budget', '84b76c4eb039c7945bf035f4820e9cf0', 20, 'Budget', 2, 30, 1795327021, 0, 'e21'),
  (22, 2, 'files/From alice/Association/Budget/plan.ods', '5c936f58038c792b6edf51a538379600', 21, 'plan.ods', 3, 30, 1795327022, 0, 'e22'),
  (23, 2, 'files/From alice/Association/deep', 'a2205543b0c29ba9fc5e9c7d1bda7439', 20, 'deep', 2, 30, 1795327023, 0, 'e23'),
  (24, 2, 'files/From alice/Association/deep/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.txt', 'bcb3ac852cbf6abb2cc02d822ce6b98f', 23, 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.txt', 3, 30, 1795327024, 0, 'e24'),
  (25, 2, 'files/From alice/Association2', '2ed6efc383c5436f73ecd5ec54a40383', 12, 'Association2', 2, 0, 1795327025, 0, 'e25');
INSERT INTO *PREFIX*mounts (id, storage_id, root_id, user_id, mount_point) VALUES (1, 2, 21, 'carol', '/carol/files/Budget/'), (2, 2, 20, 'bob', '/bob/files/Association/'), (3, 2, 22, 'frank', '/frank/files/plan.ods/');
-- 1 link on a folder below; 2 carol, who shared on to dave (3); 4 the group with rows of its members
-- (5, 6); 7 to bob himself; 8 carol to bob; 9 below, with every odd column; 10 of a file that did
-- not move; 11 of somebody else; 12 a folder whose name only begins like the one that moved; 13 of
-- a whole other kind. 14 was given to bob by the move already, but not who shared it.
INSERT INTO *PREFIX*share (id, share_type, share_with, uid_owner, uid_initiator, parent, item_type, item_source, file_source, file_target, permissions, stime, token) VALUES
  (1, 3, NULL, 'alice', 'alice', NULL, 'folder', '21', 21, '/Budget', 17, 100, 'Se9MQzysJQjfLf7'),
  (2, 0, 'carol', 'alice', 'alice', NULL, 'folder', '21', 21, '/Budget', 31, 100, NULL),
  (3, 0, 'dave', 'alice', 'carol', NULL, 'folder', '21', 21, '/Budget', 31, 100, NULL),
  (4, 1, 'board', 'alice', 'alice', NULL, 'folder', '20', 20, '/Association', 15, 100, NULL),
  (5, 2, 'alice', 'alice', 'alice', 4, 'folder', '20', 20, '/Association', 15, 100, NULL),
  (6, 2, 'bob', 'alice', 'alice', 4, 'folder', '20', 20, '/Association', 15, 100, NULL),
  (7, 0, 'bob', 'alice', 'alice', NULL, 'folder', '23', 23, '/deep', 1, 100, NULL),
  (8, 0, 'bob', 'alice', 'carol', NULL, 'file', '22', 22, '/plan.ods', 1, 100, NULL),
  (10, 0, 'carol', 'alice', 'alice', NULL, 'folder', '3', 3, '/Private', 31, 100, NULL),
  (11, 0, 'bob', 'dave', 'alice', NULL, 'folder', '23', 23, '/deep', 1, 100, NULL),
  (12, 0, 'carol', 'alice', 'alice', NULL, 'folder', '25', 25, '/Association2', 1, 100, NULL),
  (13, 6, 'frank@other.example', 'alice', 'alice', NULL, 'file', '22', 22, '/plan.ods', 1, 100, 'remote'),
  (14, 0, 'carol', 'bob', 'alice', NULL, 'folder', '20', 20, '/Association', 1, 100, NULL);
INSERT INTO *PREFIX*share (id, share_type, share_with, password, uid_owner, uid_initiator, item_type, item_source, file_source, file_target, permissions, stime, expiration, password_by_talk, note, label, attributes, reminder_sent) VALUES
  (9, 0, 'bob', '3|secret', 'alice', 'alice', 'folder', '23', 23, '/deep (2)', 1, 100, '2027-01-02 00:00:00', TRUE, 'it''s "so"', 'Étiquette', '[["permissions","download",true]]', FALSE);

INSERT INTO *PREFIX*calendars (id, principaluri, displayname, uri, synctoken, calendarcolor, deleted_at) VALUES
  (1, 'principals/users/alice', 'Personal', 'personal', 3, '#00679e', NULL),
  (2, 'principals/users/alice', 'Contact birthdays', 'contact_birthdays', 17, NULL, NULL),
  (3, 'principals/users/alice', 'Agenda de l''asso', 'asso', 14, '#123456', NULL),
  (4, 'principals/users/alice', 'Old', 'old', 2, NULL, 1795000000),
  (5, 'principals/users/bob', 'Personal', 'personal', 2, NULL, NULL),
  (6, 'principals/users/bob', 'Gone', 'personal-1', 2, NULL, 1795000000);
INSERT INTO *PREFIX*calendarsubscriptions (id, uri, principaluri, source) VALUES (1, 'personal-2', 'principals/users/bob', 'https://example.org/x.ics');
INSERT INTO *PREFIX*calendarobjects (id, uri, calendarid, lastoccurence, uid, calendartype, deleted_at) VALUES
  (1, 'ev0.ics', 3, 1804590000, 'ev0', 0, NULL), (2, 'meet.ics', 3, 1799143200, 'meet', 0, NULL), (3, 'invited.ics', 3, 1799143200, 'invited', 0, NULL),
  (4, 'past.ics', 3, 1000, 'past', 0, NULL), (5, 'bin-deleted.ics', 3, 1799143200, 'bin', 0, 1795000000), (6, 'membres-m0.vcf.ics', 2, 1, 'b0', 0, NULL), (7, 'contacts-x.vcf.ics', 2, 1, 'b1', 0, NULL);
INSERT INTO *PREFIX*calendarobjects_props (id, calendarid, objectid, name, parameter, value) VALUES
  (1, 3, 2, 'ORGANIZER', NULL, 'mailto:Alice@example.org'), (2, 3, 2, 'ORGANIZER', 'CN', 'Alice'), (3, 3, 3, 'ORGANIZER', NULL, 'mailto:x@example.org'), (4, 3, 4, 'ORGANIZER', NULL, 'mailto:alice@example.org');
INSERT INTO *PREFIX*calendar_invitations (id, uid, attendee, organizer, token) VALUES (1, 'meet', 'mailto:bob@example.org', 'mailto:alice@example.org', 't1'), (2, 'elsewhere', 'mailto:bob@example.org', 'mailto:alice@example.org', 't2');
INSERT INTO *PREFIX*calendar_appt_configs (id, user_id, target_calendar_uri) VALUES (1, 'alice', 'asso'), (2, 'bob', 'asso');
INSERT INTO *PREFIX*schedulingobjects (id, principaluri, uri) VALUES (1, 'principals/users/alice', 'i1.ics'), (2, 'principals/users/bob', 'i2.ics');
INSERT INTO *PREFIX*addressbooks (id, principaluri, displayname, uri, description, synctoken) VALUES
  (1, 'principals/users/alice', 'Contacts', 'contacts', NULL, 2), (2, 'principals/users/alice', 'Membres', 'membres', NULL, 16), (3, 'principals/users/bob', 'Contacts', 'contacts', NULL, 1);
INSERT INTO *PREFIX*cards (id, addressbookid, uri) VALUES (1, 2, 'm0.vcf'), (2, 2, 'm1.vcf'), (3, 1, 'x.vcf');
INSERT INTO *PREFIX*dav_shares (id, principaluri, type, access, resourceid, publicuri) VALUES
  (1, 'principals/users/bob', 'calendar', 2, 3, NULL), (2, 'principals/groups/board', 'calendar', 3, 3, NULL), (3, 'principals/users/carol', 'calendar', 3, 3, NULL),
  (4, 'principals/users/alice', 'calendar', 4, 3, 'LinkToken1234567'), (5, 'principals/users/bob', 'addressbook', 3, 2, NULL), (6, 'principals/users/carol', 'addressbook', 2, 2, NULL),
  (7, 'principals/users/bob', 'addressbook', 2, 3, NULL), (8, 'principals/remote-users/ZnJhbmtAb3RoZXI', 'calendar', 3, 3, NULL);
INSERT INTO *PREFIX*properties (id, userid, propertypath, propertyname, propertyvalue) VALUES
  (1, 'carol', 'calendars/carol/asso_shared_by_alice', '{http://apple.com/ns/ical/}calendar-color', '#ff0000'),
  (2, 'bob', 'calendars/bob/asso_shared_by_alice', '{http://apple.com/ns/ical/}calendar-color', '#00ff00'),
  (3, 'bob', 'calendars/bob/asso_shared_by_alice', '{http://owncloud.org/ns}calendar-enabled', '0'),
  (4, 'alice', 'calendars/alice/asso', '{http://owncloud.org/ns}calendar-enabled', '1'),
  (5, 'alice', 'calendars/alice/asso', '{urn:example}note', 'mine'),
  (6, 'alice', 'calendars/alice/asso2', '{urn:example}note', 'another'),
  (7, 'carol', 'calendars/carol/assoXshared_by_alice', '{urn:example}note', 'another'),
  (8, 'carol', 'addressbooks/users/carol/membres_shared_by_alice', '{DAV:}displayname', 'Members'),
  (9, 'alice', 'files/alice/Association/Budget', '{urn:example}colour', 'red'),
  (10, 'alice', 'files/alice/Helper/Association', '{urn:example}colour', 'blue'),
  (11, 'alice', '6a3787b7a3cf45250686df530d01903aef0209db', '{urn:example}colour', 'long'),
  (12, 'alice', 'files/alice/Association2', '{urn:example}colour', 'stays'),
  (13, 'alice', 'files/alice/Association/deep', '{urn:example}colour', 'alices'),
  (14, 'bob', 'files/bob/From alice/Association/deep', '{urn:example}colour', 'bobs'),
  (15, 'carol', 'files/carol/Association/Budget', '{urn:example}colour', 'carols');
INSERT INTO *PREFIX*vcategory (id, uid, type, category) VALUES (1, 'alice', 'files', '_$!<Favorite>!$_'), (2, 'alice', 'files', 'urgent'), (3, 'bob', 'files', 'urgent'), (4, 'carol', 'files', '_$!<Favorite>!$_');
INSERT INTO *PREFIX*vcategory_to_object (objid, categoryid, type) VALUES (22, 1, 'files'), (21, 1, 'files'), (4, 1, 'files'), (22, 2, 'files'), (21, 2, 'files'), (21, 3, 'files'), (22, 4, 'files');
INSERT INTO *PREFIX*files_reminders (id, user_id, file_id, due_date) VALUES (1, 'alice', 22, '2027-02-03 09:00:00'), (2, 'alice', 4, '2027-02-03 09:00:00'), (3, 'alice', 21, '2027-02-03 09:00:00'), (4, 'bob', 21, '2027-02-03 09:00:00');
INSERT INTO *PREFIX*files_trash (auto_id, id, {user}, location) VALUES (1, 'a.txt', 'alice', '.'), (2, 'b.txt', 'alice', '.'), (3, 'c.txt', 'bob', '.');
INSERT INTO *PREFIX*files_versions (id, file_id, size) VALUES (1, 4, 900), (2, 4, 800), (3, 5, 7), (4, 22, 30);
INSERT INTO *PREFIX*systemtag_object_mapping (objectid, objecttype, systemtagid) VALUES ('4', 'files', 1), ('22', 'files', 1), ('4', 'other', 1);
INSERT INTO *PREFIX*deck_boards (id, owner, deleted_at) VALUES (1, 'alice', 0), (2, 'alice', 5), (3, 'bob', 0);
INSERT INTO *PREFIX*circles_member (id, single_id, circle_id, user_id, user_type, level) VALUES (1, 'alice1', 'circle1', 'alice', 1, 9), (2, 'alice1', 'circle2', 'alice', 1, 1), (3, 'alice1', 'alice1', 'alice', 1, 9);
