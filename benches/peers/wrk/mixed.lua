-- What a Nextcloud is asked for: 85 % PROPFIND, 10 % GET, 3 % PUT, 2 % pages; always in the same
-- order, spread evenly.
local propfind = [[<?xml version="1.0" encoding="UTF-8"?><d:propfind xmlns:d="DAV:"><d:prop><d:resourcetype/>]] ..
  [[<d:getlastmodified/><d:getcontentlength/><d:getetag/></d:prop></d:propfind>]]
local file = string.rep("0123456789abcde\n", 6400)
local requests = {}
local at = 0

init = function()
  local auth = { ["Authorization"] = "Basic YWxpY2U6c2VjcmV0" }
  local dav = { ["Depth"] = "1", ["Content-Type"] = "application/xml", ["Authorization"] = auth["Authorization"] }
  local kinds = {
    P = wrk.format("PROPFIND", "/remote.php/dav/folder-30", dav, propfind),
    G = wrk.format("GET", "/remote.php/dav/file", auth),
    U = wrk.format("PUT", "/remote.php/dav/file", auth, file),
    H = wrk.format("GET", "/apps/files/page", auth),
  }
  local places = { G = 10, U = 33, H = 50 }
  for n = 0, 99 do
    local kind = "P"
    if n % places.G == 3 then kind = "G" end
    if n % places.U == 5 and n < 99 then kind = "U" end
    if n % places.H == 7 then kind = "H" end
    requests[n] = kinds[kind]
  end
end

request = function()
  at = (at + 1) % 100
  return requests[at]
end
