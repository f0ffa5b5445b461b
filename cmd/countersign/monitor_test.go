package main

import (
	"strings"
	"testing"

	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

func (p *person) monitor(args ...string) (code int, out, errs string) {
	p.t.Helper()
	return p.run(append([]string{"monitor", "--once", "--repository", p.path("repository"), "--root", p.path("root.json"), "--policy", p.path("policy.json"), "--state", p.path("watch")}, args...)...)
}

func TestMonitorOnce(t *testing.T) {
	p := newPerson(t)
	p.now = p.w.Now
	p.want(0, "nothing new: 0 alarms stand, 0 log entries seen", "")(p.monitor())
	p.w.Publish(repotest.Release{Version: "1.1.0", Artifacts: released, Otherwise: []int{3}})
	p.publish("repository")
	p.want(1, "ALARM disagreement: Daiki Mori (Fuji Kenkyu, JP) rebuilt stable 1.1.0 and got other bytes", "1 new alarms")(p.monitor("--command", "cat > "+p.path("mail")))
	p.want(0, "nothing new: 1 alarms stand", "")(p.monitor())
	p.want(0, `"standing": [`, "")(p.monitor("--json"))
	p.want(3, "nothing new", "could not tell: ")(p.monitor("--repository", "http://127.0.0.1:1"))
	p.want(2, "", "want an http or https URL")(p.monitor("--webhook", "file:///etc/passwd"))
	p.want(2, "", "want 0 or more")(p.monitor("--grace", "-1s"))
	p.want(2, "", "want at least 1s")(p.run("monitor", "--every", "1ms", "--root", p.path("root.json")))
	p.write("log.policy", []byte("log nonsense\n"))
	p.want(2, "", "log.policy: ")(p.monitor("--log-policy", p.path("log.policy")))
	code, _, errs := p.monitor("--command", "exit 1", "--state", p.path("other"))
	if code != 3 || !strings.Contains(errs, "telling: command") {
		t.Errorf("a command that fails: exit %d, %s", code, errs)
	}
}
