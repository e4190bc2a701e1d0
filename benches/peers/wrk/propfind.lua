-- A PROPFIND as the desktop client sends it.
wrk.method = "PROPFIND"
wrk.headers["Depth"] = "1"
wrk.headers["Content-Type"] = "application/xml; charset=utf-8"
wrk.headers["Authorization"] = "Basic YWxpY2U6c2VjcmV0"
wrk.body = [[<?xml version="1.0" encoding="UTF-8"?><d:propfind xmlns:d="DAV:"><d:prop><d:resourcetype/>]] ..
  [[<d:getlastmodified/><d:getcontentlength/><d:getetag/><size xmlns="http://owncloud.org/ns"/>]] ..
  [[<id xmlns="http://owncloud.org/ns"/><permissions xmlns="http://owncloud.org/ns"/></d:prop></d:propfind>]]
