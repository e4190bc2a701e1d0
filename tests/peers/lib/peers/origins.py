"""Servers that others wrote, each with a folder of its own below the check's."""

import os
import pathlib
import pwd
import shutil
import sys

from peers import FOLDER
from peers.process import Process, start_on_free_port

APACHE_MODULES = pathlib.Path("/usr/lib/apache2/modules")


class Origin:
    """A server that runs: `url`, `address`, `folder` (what it serves), `access_log`."""

    def __init__(self, name, seed=None):
        self.name = name
        self.home = FOLDER / name
        self.folder = self.home / "files"
        self.access_log = self.home / "access.log"
        if seed:
            shutil.copytree(seed, self.folder, copy_function=shutil.copy2)
        else:
            self.folder.mkdir(parents=True)
        for below in ("run", "tmp"):
            (self.home / below).mkdir()
        self.access_log.touch()
        self.process, self.port = start_on_free_port(self._start)
        self.address = ("127.0.0.1", self.port)
        self.url = f"http://127.0.0.1:{self.port}"

    def _start(self, port):
        config = self.home / self.config_name
        config.write_text(self.config(port))
        (self.home / "types").write_text("text/plain txt\ntext/html html\nimage/png png\n")
        if self.account:
            _give(self.home, self.account)
        return Process(self.name, self.argv(config, port), env={"HOME": str(self.home)})

    account = None
    config_name = "config"

    def requests(self):
        """Method and target of each line of the access log."""
        lines = self.access_log.read_text(errors="surrogateescape").splitlines()
        return [tuple((line.split(" ") + [""])[:2]) for line in lines]

    def stored(self, path):
        """How many bytes a PUT left there; None if it left nothing."""
        return _size(self.folder / path.strip("/"))

    def complaints(self):
        """What it found wrong with requests, apart from its access log."""
        return []

    def stop(self):
        self.process.stop()


class Apache(Origin):
    """Apache with mod_dav: the reference implementation of WebDAV that is not Nextcloud's."""

    account = "www-data"
    modules = "mpm_event authn_core authz_core alias dir mime log_config dav dav_fs dav_lock"
    extra = ""

    def argv(self, config, port):
        return ["/usr/sbin/apache2", "-D", "FOREGROUND", "-d", self.home, "-f", config]

    def config(self, port):
        load = "\n".join(
            f"LoadModule {module}_module {APACHE_MODULES}/mod_{module}.so"
            for module in self.modules.split()
            if (APACHE_MODULES / f"mod_{module}.so").exists()
        )
        return f"""
{load}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
User www-data
Group www-data
PidFile {self.home}/run/pid
DefaultRuntimeDir {self.home}/run
Mutex file:{self.home}/run
ErrorLog {self.home}/error.log
LogFormat "%m %U%q %{{Host}}i %{{Content-Length}}i %>s" seen
CustomLog {self.access_log} seen
DocumentRoot {self.folder}
DavLockDB {self.home}/run/locks
TypesConfig {self.home}/types
DirectoryIndex disabled
AllowEncodedSlashes NoDecode
FileETag Digest
ServerTokens Prod
ThreadsPerChild 32
StartServers 1
ServerLimit 4
MaxRequestWorkers 128
KeepAliveTimeout 30
<Directory {self.folder}>
  Require all granted
  Dav On
</Directory>
{self.extra}
"""


class Nginx(Origin):
    """nginx, files only."""

    account = "www-data"

    def __init__(self, name, seed=None, location=""):
        self.location = location
        super().__init__(name, seed)

    def argv(self, config, port):
        return ["/usr/sbin/nginx", "-e", self.home / "error.log", "-p", self.home, "-c", config]

    def config(self, port):
        temp = "\n".join(
            f"  {kind}_temp_path {self.home}/tmp/{kind};"
            for kind in "client_body proxy fastcgi uwsgi scgi".split()
        )
        return f"""
daemon off;
master_process on;
user www-data;
worker_processes 1;
pid {self.home}/run/pid;
events {{ worker_connections 4096; }}
http {{
  log_format seen '$request_method $request_uri $http_host $http_content_length $status';
  access_log {self.access_log} seen;
{temp}
  client_max_body_size 0;
  sendfile on;
  keepalive_requests 100000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {self.folder};
    location / {{ {self.location} }}
  }}
}}
"""


class Gunicorn(Origin):
    """gunicorn, with an application that stores what is PUT."""

    config_name = "config.py"

    def argv(self, config, port):
        options = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "8", "--keep-alive", "30"]
        return [sys.executable, "-m", "gunicorn", *options, "--config", config, "--log-level", "info", "peers.wsgi"]

    def config(self, port):
        return f"raw_env = ['WSGI_FOLDER={self.folder}']\nworker_tmp_dir = '{self.home}/tmp'\n"

    def stored(self, path):
        return _size(self.folder / path.strip("/").replace("/", "_"))

    def complaints(self):
        return [line for line in self.process.text().splitlines() if "Invalid request" in line]


class WsgiDav(Origin):
    """WsgiDAV under cheroot: Python all the way down."""

    config_name = "config.yaml"

    def argv(self, config, port):
        return [sys.executable, "-m", "wsgidav.server.server_cli", "--config", config]

    def config(self, port):
        return f"""
host: 127.0.0.1
port: {port}
server: cheroot
provider_mapping:
  '/': '{self.folder}'
http_authenticator:
  domain_controller: null
simple_dc:
  user_mapping:
    '*': true
lock_storage: true
property_manager: true
dir_browser:
  enable: false
verbose: 3
logging:
  enable_loggers: []
"""

def _size(path):
    return path.stat().st_size if path.exists() else None


def _give(folder, account):
    """Servers that drop their privileges must be able to write."""
    if os.geteuid() != 0:
        return
    entry = pwd.getpwnam(account)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
