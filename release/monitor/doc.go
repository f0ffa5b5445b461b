// Package monitor watches a distribution: its repository at every mirror, and its log. It says what is
// wrong once, and keeps the evidence. What it knows of the log is attest/monitor's; this package has what
// needs the meaning of a release (attest may not import release), and holds the two against each other.
//
// A monitor is trusted by nobody, holds no key, and anyone may run one; the more do, the less can be shown
// to one victim alone. What it alarms about:
//
//	fork            two heads that cannot be of one log; two signed files for one version of a role
//	rollback        a mirror serves older metadata, or a shorter log, than it did
//	refused         a mirror serves what does not hold; the newest release of a channel is not genuine
//	unlogged        a release, metadata or statement that is served and has no entry in the log
//	unserved        an entry of the log whose file nobody serves: what is it, and who got it?
//	disagreement    an auditor got other bytes
//	review          an auditor says not to ship it
//	withdrawal      an auditor took a release back
//	expiry          a role has less than a quarter of its life left, or none
//	and those of attest/monitor: bad head, witnesses, corrupt, entry, two of one
//
// A served file and its entry are written one after the other, so what is unlogged or unserved is told only
// when it lasts. Only a release may not wait: its entry is there before the release is.
package monitor
