"""Database servers, each with its data in a folder of the check and an account `nc`."""

import gzip
import os
import pathlib
import pwd
import subprocess

from peers import FOLDER, fail
from peers.process import Process, start_on_free_port

PASSWORD = "N0t-a-secret"


class Server:
    """A server that runs: `url` leads to its empty database `nc`."""

    def __init__(self, name):
        self.name = name
        self.home = FOLDER / name
        self.home.mkdir()
        self.data = self.home / "data"
        if os.getuid() == 0:
            # Neither runs as root.
            entry = pwd.getpwnam(self.account)
            os.chown(self.home, entry.pw_uid, entry.pw_gid)
            self.before = ["setpriv", "--reuid", self.account, "--regid", self.account, "--clear-groups"]
        else:
            self.before = []
        self.install()
        self.process, self.port = start_on_free_port(lambda port: Process(name, self.before + self.argv(port)))
        self.url = f"{self.scheme}://nc:{PASSWORD}@127.0.0.1:{self.port}/nc"
        self.prepare()

    def fill(self, dump):
        """Runs a dump of SQL."""
        self.client(gzip.decompress(pathlib.Path(dump).read_bytes()))

    def ask(self, sql):
        """The one value that a query answers with."""
        return self.client(sql.encode()).decode().strip()

    def stop(self):
        self.process.stop()

    def run(self, argv, said=None, env=None):
        done = subprocess.run(
            [str(arg) for arg in argv], input=said, cwd=self.home, capture_output=True, env={**os.environ, **(env or {})}
        )
        if done.returncode:
            fail(f"{argv}: {done.stdout.decode(errors='replace')} {done.stderr.decode(errors='replace')}")
        return done.stdout


class Postgres(Server):
    account = scheme = "postgres"
    variable = "PASSEUR_TEST_POSTGRES"
    dump = "postgresql.sql.gz"
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))

    def install(self):
        # With a password at its door: the tests come with a wrong one, too.
        secret = self.home / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(self.before + [self.folders[-1] / "initdb", "-D", self.data, "-U", "nc", "--auth=scram-sha-256",
                                f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8"])  # fmt: skip

    def argv(self, port):
        return [self.folders[-1] / "postgres", "-D", self.data, "-p", port, "-k", self.home,
                "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=100"]  # fmt: skip

    def prepare(self):
        self.client(b"CREATE DATABASE nc", "postgres")

    def client(self, sql, database="nc"):
        # Listening comes a moment before signing in: the client waits for it.
        return self.run(
            ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port, "-U", "nc", database],
            sql, {"PGPASSWORD": PASSWORD, "PGOPTIONS": "--client-min-messages=warning"},
        )  # fmt: skip


class MariaDb(Server):
    account = scheme = "mysql"
    variable = "PASSEUR_TEST_MYSQL"
    dump = "mysql.sql.gz"

    def install(self):
        user = ["--user=mysql"] if self.before else []
        self.run(["mariadb-install-db", "--no-defaults", *user, f"--datadir={self.data}",
                  "--auth-root-authentication-method=normal", "--skip-test-db"])  # fmt: skip

    def argv(self, port):
        return ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.data}", f"--port={port}",
                "--bind-address=127.0.0.1", f"--socket={self.home}/socket", f"--pid-file={self.home}/pid",
                "--innodb-flush-log-at-trx-commit=0"]  # fmt: skip

    def prepare(self):
        sql = (
            "CREATE DATABASE nc CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci; "
            f"CREATE USER nc@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON nc.* TO nc@'127.0.0.1'"
        )
        self.run(["mariadb", "--no-defaults", f"--socket={self.home}/socket", "-u", "root"], sql.encode())

    def client(self, sql):
        return self.run(["mariadb", "--no-defaults", f"--socket={self.home}/socket", "-u", "root", "-N", "nc"], sql)
