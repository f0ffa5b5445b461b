package peer

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// Postgres is a PostgreSQL server with an empty cluster, reachable only through a socket in its directory.
type Postgres struct {
	*Process
	bin, dir  string
	owner     owner
	databases atomic.Int32
}

// postgresBin is where the server's programs are: Debian keeps them out of PATH, one folder a version.
func postgresBin() (string, error) {
	if path, err := newest("/usr/lib/postgresql/*/bin/initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", err
	}
	path, err = filepath.EvalSymlinks(path)
	return filepath.Dir(path), err
}

// StartPostgres makes a cluster and starts a server, which ends with the test. Settings are as a careful operator has
// them: fsync on, synchronous_commit on.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	bin, err := postgresBin()
	if err != nil {
		Missing(t, "PostgreSQL's server", "postgresql")
	}
	owner, err := unprivileged()
	if err != nil {
		Missing(t, "PostgreSQL's account ("+err.Error()+")", "postgresql")
	}
	p := &Postgres{bin: bin, dir: shortDir(t, owner), owner: owner}
	data := filepath.Join(p.dir, "data")
	if out, err := p.command("initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "postgres").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.Process = &Process{Name: "postgres", t: t, make: func() *exec.Cmd {
		return p.command("postgres", "-D", data, "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=128MB")
	}}
	p.Start()
	t.Cleanup(func() { p.Stop(syscall.SIGQUIT) }) // at once; the cluster is thrown away
	return p
}

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + p.dir}
	p.owner.run(cmd)
	return cmd
}

// Start starts the server and waits until it answers.
func (p *Postgres) Start() {
	p.t.Helper()
	p.Process.Start()
	p.await("does not answer", func() error { return p.psql("SELECT 1") })
}

// Database makes an empty schema, which is as good as a database and much cheaper, and returns a URL for it.
func (p *Postgres) Database() string {
	p.t.Helper()
	name := fmt.Sprintf("test%d", p.databases.Add(1))
	p.await("create schema", func() error { return p.psql("CREATE SCHEMA " + name) })
	return "postgres://postgres@/postgres?search_path=" + name + "&host=" + url.QueryEscape(p.dir)
}

// Databases makes so many of them at once and returns a URL in which N stands for 1 to that number.
func (p *Postgres) Databases(many int) string {
	p.t.Helper()
	if err := p.psql(fmt.Sprintf("DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('CREATE SCHEMA suite%%s', i); END LOOP; END $$", many)); err != nil {
		p.t.Fatal(err)
	}
	return "postgres://postgres@/postgres?search_path=suiteN&host=" + url.QueryEscape(p.dir)
}

// Used is how many of the Databases hold tables.
func (p *Postgres) Used() int {
	p.t.Helper()
	out, err := p.command("psql", "-h", p.dir, "-U", "postgres", "-qAtc", "SELECT count(DISTINCT schemaname) FROM pg_tables WHERE schemaname LIKE 'suite%'", "postgres").Output()
	if err != nil {
		p.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *Postgres) psql(sql string) error {
	out, err := p.command("psql", "-h", p.dir, "-U", "postgres", "-qc", sql, "postgres").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
}
