package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The stories below ask of our command line what the public tuf-conformance
// suite asks of every client, told in our own words against our own simulator;
// names follow the suite's, so that one can be held against the other. The
// suite itself runs from tuf/interop/conformance where somebody has it.

const bogusSignature = "3045022100ee448afe2d25dd1f05afedac83a24e7df90f203615221434979153dc7cea6d4702207710015851e571885a77db8a6e42c4b2983a59b9e1ebec91178dfa2fb0d42ab8"

func signatures(file object) []any { return file["signatures"].([]any) }

func TestBasic(t *testing.T) {
	type story func(s *simulator)
	for name, tell := range map[string]story{
		"basic_refresh_requests": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.wasAsked("root 2", "timestamp 0", "snapshot 1", "targets 1")
		},
		"basic_refresh_trusted_data": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			for role, list := range s.published {
				d.same(role, list[0])
			}
		},
		"warm_refresh_requests": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.asked = nil
			d.refresh(0)
			s.wasAsked("root 2", "timestamp 0")
		},
		"implicit_refresh": func(s *simulator) {
			d := start(s)
			d.download(1, "nonexistent artifact")
			s.wasAsked("root 2", "timestamp 0", "snapshot 1", "targets 1")
			d.trusts("root 1", "snapshot 1", "targets 1", "timestamp 1")
		},
		"invalid_initial_root": func(s *simulator) {
			s.tamper("root", func(file object) { delete(file["signed"].(object), "version") })
			d := newDevice(s)
			d.initWith(s.published["root"][0])
			d.refresh(1)
			s.wasAsked()
		},
		"unsigned_initial_root": func(s *simulator) {
			s.tamper("root", func(file object) { signatures(file)[0].(object)["sig"] = bogusSignature })
			d := newDevice(s)
			d.initWith(s.published["root"][0])
			d.refresh(1)
			s.wasAsked()
		},
		"timestamp_content_changes": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			old := s.published["timestamp"][0]
			s.signed["timestamp"]["meta"].(object)["snapshot.json"] = object{"version": 100}
			s.forget("timestamp", 1)
			s.publish("timestamp")
			d.refresh(0)
			s.lastAsked("timestamp 0")
			d.same("timestamp", old)
		},
		"basic_metadata_hash_support": func(s *simulator) {
			s.sums = true
			s.publish("targets", "snapshot", "timestamp")
			d := start(s)
			d.refresh(0)
			s.publish("targets")
			s.signed["snapshot"]["meta"].(object)["targets.json"].(object)["hashes"] = object{
				"sha256": "46419349341cfb2d95f6ae3d4cd5c3d3dd7f4673985dad42a45130be5e0531a0"}
			s.publish("snapshot", "timestamp")
			d.refresh(1)
			d.trusts("root 1", "snapshot 3", "targets 2", "timestamp 3")
		},
		"new_targets_version_mismatch": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.publish("targets")
			d.refresh(0)
			d.trusts("root 1", "snapshot 1", "targets 1", "timestamp 1")
			s.lastAsked("timestamp 0")
		},
		"metadata_bytes_match": func(s *simulator) {
			d := start(s)
			s.published["timestamp"][0] = append(s.published["timestamp"][0], ' ')
			d.refresh(0)
			d.same("timestamp", s.published["timestamp"][0])
		},
		"custom_fields": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.signed["root"]["custom-field"] = "value"
			s.addKey("root", newSigner(s.t, "ecdsa", object{"extra-field": object{"a": 1, "b": 2}}))
			s.role("root")["another-field"] = "value"
			s.publish("root")
			d.refresh(0)
			d.trusts("root 2", "snapshot 1", "targets 1", "timestamp 1")
		},
		"deprecated_keyid_hash_algorithms": func(s *simulator) {
			d := start(s)
			s.role("snapshot")["keyids"], s.keys["snapshot"] = []string{}, nil
			s.addKey("snapshot", newSigner(s.t, "ecdsa", object{"keyid_hash_algorithms": "md5"}))
			s.publish("root", "snapshot", "timestamp")
			d.refresh(0)
			d.trusts("root 2", "snapshot 2", "targets 1", "timestamp 2")
		},
		"snapshot_404": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.signed["timestamp"]["meta"].(object)["snapshot.json"] = object{"version": 2}
			s.publish("timestamp")
			d.refresh(1)
			s.lastAsked("snapshot 2")
			d.trusts("root 1", "snapshot 1", "targets 1", "timestamp 2")
		},
		"targets_404": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.signed["snapshot"]["meta"].(object)["targets.json"] = object{"version": 2}
			s.publish("snapshot", "timestamp")
			d.refresh(1)
			s.lastAsked("targets 2")
			d.trusts("root 1", "snapshot 2", "targets 1", "timestamp 2")
		},
		"timestamp_404": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			delete(s.published, "timestamp")
			d.refresh(1)
			s.lastAsked("timestamp 0")
		},
		"incorrect_metadata_type": func(s *simulator) {
			d := start(s)
			s.addKey("snapshot", s.keys["timestamp"][0])
			s.signed["snapshot"]["meta"] = object{"snapshot.json": object{"version": 1}}
			s.publish("root", "snapshot")
			list := s.published["snapshot"]
			s.published["timestamp"] = append(s.published["timestamp"], list[len(list)-1])
			d.refresh(1)
			d.trusts("root 2")
		},
		"faketime": func(s *simulator) {
			d := start(s)
			s.signed["root"]["expires"] = s.in(7)
			s.publish("root")
			d.refresh(0)
			d.refreshIn(8, 1)
		},
		"plain_file_names": func(s *simulator) {
			s.signed["root"]["consistent_snapshot"] = false
			d := start(s)
			s.publish("root")
			s.delegate("targets", "role1", false, "*")
			s.publish("role1", "targets", "snapshot", "timestamp")
			d.refresh(0)
			s.wasAsked("root 2", "root 3", "timestamp 0", "snapshot 0", "targets 0")
			s.asked = nil
			d.download(1, "nothing")
			s.wasAsked("root 3", "timestamp 0", "role1 0")
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newSimulator(t)) })
	}
}

func (d *device) same(role string, want []byte) {
	d.t.Helper()
	got, err := os.ReadFile(filepath.Join(d.meta, role+".json"))
	must(d.t, err)
	if string(got) != string(want) {
		d.t.Fatalf("%s.json is not what was served", role)
	}
}

func TestUnsignedMetadata(t *testing.T) {
	for role, trusted := range map[string][]string{
		"root":      {"root 1"},
		"timestamp": {"root 2"},
		"snapshot":  {"root 2", "timestamp 2"},
		"targets":   {"root 2", "snapshot 2", "timestamp 2"},
	} {
		t.Run(role, func(t *testing.T) {
			s := newSimulator(t)
			d := start(s)
			s.keys[role] = nil
			s.publish("root", "targets", "snapshot", "timestamp")
			d.refresh(1)
			d.trusts(trusted...)
		})
	}
}

func TestURLAndMetadataVersionMismatch(t *testing.T) {
	for role, trusted := range map[string][]string{
		"root":     {"root 1"},
		"snapshot": {"root 2", "timestamp 2"},
		"targets":  {"root 2", "snapshot 2", "timestamp 2"},
	} {
		t.Run(role, func(t *testing.T) {
			s := newSimulator(t)
			d := start(s)
			s.signed[role]["version"] = 2 // publish makes it 3, at the address of 2
			s.publish("root", "targets", "snapshot", "timestamp")
			// The role above means version 2, or the address 404s for 3.
			if role != "root" {
				above := map[string]string{"snapshot": "timestamp", "targets": "snapshot"}[role]
				s.signed[above]["meta"].(object)[role+".json"] = object{"version": 2}
				s.published[above] = s.published[above][:1]
				s.signed[above]["version"] = 1
				s.publish(above)
				if above == "snapshot" {
					s.published["timestamp"], s.signed["timestamp"]["version"] = s.published["timestamp"][:1], 1
					s.publish("timestamp")
				}
			}
			d.refresh(1)
			d.trusts(trusted...)
		})
	}
}

func TestExpiration(t *testing.T) {
	past := -1
	for name, tell := range map[string]func(s *simulator){
		"root_expired": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.publish("root")
			d.refresh(0)
			s.signed["root"]["expires"] = s.in(past)
			s.publish("root")
			d.refresh(1)
			d.trusts("root 3", "snapshot 1", "targets 1", "timestamp 1")
		},
		"timestamp_expired": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.signed["timestamp"]["expires"] = s.in(past)
			s.publish("timestamp")
			d.refresh(1)
			d.trusts("root 1", "snapshot 1", "targets 1", "timestamp 1")
		},
		"snapshot_expired": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.signed["snapshot"]["expires"] = s.in(past)
			s.publish("snapshot", "timestamp")
			d.refresh(1)
			d.trusts("root 1", "snapshot 1", "targets 1", "timestamp 2")
		},
		"targets_expired": func(s *simulator) {
			d := start(s)
			d.refresh(0)
			s.signed["targets"]["expires"] = s.in(past)
			s.publish("targets", "snapshot", "timestamp")
			d.refresh(1)
			d.trusts("root 1", "snapshot 2", "targets 1", "timestamp 2")
		},
		"expired_local_root": func(s *simulator) {
			d := start(s)
			s.signed["root"]["expires"] = s.in(7)
			s.publish("root")
			d.refresh(0)
			s.signed["root"]["expires"] = s.in(21)
			s.publish("root")
			d.refreshIn(18, 0)
			d.want(3, d.version("root"))
		},
		"expired_local_timestamp": func(s *simulator) {
			d := start(s)
			s.signed["timestamp"]["expires"] = s.in(7)
			s.publish("timestamp")
			d.refresh(0)
			s.signed["timestamp"]["expires"] = s.in(21)
			s.publish("targets", "snapshot", "timestamp")
			d.refreshIn(18, 0)
			d.trusts("root 1", "snapshot 2", "targets 2", "timestamp 3")
		},
		"delegated_targets_expired": func(s *simulator) {
			d := start(s)
			s.delegate("targets", "delegated", false, "delegatedpath/*")
			s.signed["delegated"]["expires"] = s.in(past)
			s.addArtifact("delegated", "delegatedpath/target", "content")
			s.publish("delegated", "targets", "snapshot", "timestamp")
			d.refresh(0)
			d.download(1, "delegatedpath/target")
			d.holds()
			d.trusts("root 1", "snapshot 2", "targets 2", "timestamp 2")
		},
		"expired_local_delegated_targets": func(s *simulator) {
			d := start(s)
			s.delegate("targets", "delegated", false, "delegatedpath/*")
			s.signed["delegated"]["expires"] = s.in(7)
			s.addArtifact("delegated", "delegatedpath/first", "first")
			s.addArtifact("delegated", "delegatedpath/second", "second")
			s.publish("delegated", "targets", "snapshot", "timestamp")
			d.download(0, "delegatedpath/first")
			d.downloadIn(18, 1, "delegatedpath/second")
			d.holds("first")
		},
		"expired_local_delegated_targets_updates": func(s *simulator) {
			d := start(s)
			s.delegate("targets", "delegated", false, "delegatedpath/*")
			s.signed["delegated"]["expires"] = s.in(7)
			s.addArtifact("delegated", "delegatedpath/first", "first")
			s.addArtifact("delegated", "delegatedpath/second", "second")
			s.publish("delegated", "targets", "snapshot", "timestamp")
			d.download(0, "delegatedpath/first")
			s.signed["delegated"]["expires"] = s.in(21)
			s.publish("delegated", "snapshot", "timestamp")
			d.downloadIn(18, 0, "delegatedpath/second")
			d.holds("first", "second")
		},
	} {
		t.Run(name, func(t *testing.T) { tell(newSimulator(t)) })
	}
}

func TestRollback(t *testing.T) {
	for name, tell := range map[string]func(s *simulator, d *device){
		"new_timestamp_version_rollback": func(s *simulator, d *device) {
			s.publish("timestamp")
			d.refresh(0)
			s.forget("timestamp", 1)
			s.publish("timestamp")
			d.refresh(1)
			d.want(2, d.version("timestamp"))
			s.lastAsked("timestamp 0")
		},
		"snapshot_rollback": func(s *simulator, d *device) {
			s.publish("snapshot", "timestamp")
			d.refresh(0)
			s.forget("snapshot", 1)
			s.publish("snapshot", "timestamp")
			d.refresh(1)
			d.trusts("root 1", "snapshot 2", "targets 1", "timestamp 2")
			s.lastAsked("timestamp 0")
		},
		"targets_rollback": func(s *simulator, d *device) {
			s.publish("targets", "snapshot", "timestamp")
			d.refresh(0)
			s.forget("targets", 1)
			s.publish("targets", "snapshot", "timestamp")
			d.refresh(1)
			d.trusts("root 1", "snapshot 2", "targets 2", "timestamp 3")
		},
		"targets_role_removal": func(s *simulator, d *device) {
			s.delegate("targets", "delegated", false, "delegatedpath/*")
			s.publish("delegated", "targets", "snapshot", "timestamp")
			d.refresh(0)
			delete(s.signed["snapshot"]["meta"].(object), "delegated.json")
			s.publish("snapshot", "timestamp")
			d.refresh(1)
			d.want(2, d.version("snapshot"))
		},
		"targets_fast_forward_recovery": func(s *simulator, d *device) {
			s.delegate("targets", "delegated", false, "delegatedpath/*")
			s.publish("delegated")
			for range 99 {
				s.publish("targets")
			}
			s.publish("snapshot", "timestamp")
			d.refresh(0)
			d.want(100, d.version("targets"))
			s.rotate("snapshot")
			s.forget("targets", 1)
			delete(s.signed["snapshot"]["meta"].(object), "delegated.json")
			s.publish("root", "targets", "snapshot", "timestamp")
			d.refresh(0)
			d.want(1, d.version("targets"))
		},
		"snapshot_fast_forward_recovery": func(s *simulator, d *device) {
			for range 99 {
				s.publish("snapshot")
			}
			s.publish("timestamp")
			d.refresh(0)
			d.want(100, d.version("snapshot"))
			s.rotate("snapshot")
			s.rotate("timestamp")
			s.forget("snapshot", 1)
			s.publish("root", "targets", "snapshot", "timestamp")
			d.refresh(0)
			d.want(1, d.version("snapshot"))
		},
		"timestamp_fast_forward_recovery": func(s *simulator, d *device) {
			for range 99 {
				s.publish("timestamp")
			}
			d.refresh(0)
			d.want(100, d.version("timestamp"))
			s.rotate("timestamp")
			s.forget("timestamp", 1)
			s.publish("root", "timestamp")
			d.refresh(0)
			d.want(1, d.version("timestamp"))
		},
	} {
		for _, sums := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hashes=%v", name, sums), func(t *testing.T) {
				s := newSimulator(t)
				s.sums = sums
				tell(s, start(s))
			})
		}
	}
}

func TestKeys(t *testing.T) {
	for name, tell := range map[string]func(s *simulator, d *device){
		"snapshot_does_not_meet_threshold": func(s *simulator, d *device) {
			s.role("snapshot")["threshold"] = 3
			s.addKey("snapshot", newSigner(s.t, "ecdsa", nil))
			s.addKey("snapshot", newSigner(s.t, "ed25519", nil))
			s.publish("root", "targets", "snapshot", "timestamp")
			d.refresh(0)
			s.keys["snapshot"] = s.keys["snapshot"][:2]
			s.publish("targets", "snapshot", "timestamp")
			d.refresh(1)
			d.want(2, d.version("snapshot"))
		},
		"snapshot_has_too_few_keys": func(s *simulator, d *device) {
			for range 4 {
				s.addKey("snapshot", newSigner(s.t, "ecdsa", nil))
			}
			s.role("snapshot")["threshold"] = 6
			s.publish("root", "snapshot", "timestamp")
			d.refresh(1)
			d.want(2, d.version("root"))
			d.want(0, d.version("snapshot"))
		},
		"key_listed_but_absent": func(s *simulator, d *device) {
			s.role("snapshot")["keyids"] = append(s.role("snapshot")["keyids"].([]string), newSigner(s.t, "ecdsa", nil).id)
			s.role("snapshot")["threshold"] = 2
			s.publish("root", "snapshot", "timestamp")
			d.refresh(1)
			d.want(0, d.version("snapshot"))
		},
		"duplicate_keys": func(s *simulator, d *device) {
			k := newSigner(s.t, "ecdsa", nil)
			for range 9 {
				s.listKey("snapshot", k)
			}
			s.keys["snapshot"] = append(s.keys["snapshot"], k)
			s.role("snapshot")["threshold"] = 6
			s.publish("root", "snapshot", "timestamp")
			s.tamper("snapshot", func(file object) {
				for range 8 {
					file["signatures"] = append(signatures(file), signatures(file)[1])
				}
			})
			d.refresh(1)
			d.want(0, d.version("snapshot"))
		},
		"duplicate_keys_one_signature": func(s *simulator, d *device) {
			k := newSigner(s.t, "ecdsa", nil)
			for range 9 {
				s.listKey("snapshot", k)
			}
			s.keys["snapshot"] = append(s.keys["snapshot"], k)
			s.role("snapshot")["threshold"] = 6
			s.publish("root", "snapshot", "timestamp")
			d.refresh(1)
			d.want(0, d.version("snapshot"))
		},
		"one_key_under_two_ids": func(s *simulator, d *device) {
			k := newSigner(s.t, "ecdsa", nil)
			twin := &signer{id: hex.EncodeToString(make([]byte, 32)), key: k.key, sign: k.sign}
			s.role("snapshot")["keyids"], s.keys["snapshot"] = []string{}, nil
			s.addKey("snapshot", k)
			s.addKey("snapshot", twin)
			s.role("snapshot")["threshold"] = 2
			s.publish("root", "snapshot", "timestamp")
			d.refresh(1)
			d.want(0, d.version("snapshot"))
		},
		"key_of_an_unknown_kind_beside": func(s *simulator, d *device) {
			s.signed["root"]["keys"].(object)["abc"] = object{"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": object{"public": "", "identity": "x"}}
			s.publish("root")
			d.refresh(0)
			d.want(2, d.version("root"))
		},
		"duplicate_sig_keyids": func(s *simulator, d *device) {
			s.tamper("snapshot", func(file object) { file["signatures"] = append(signatures(file), signatures(file)[0]) })
			d.refresh(1)
			d.want(0, d.version("snapshot"))
		},
		"invalid_sig_in_valid_metadata": func(s *simulator, d *device) {
			s.addKey("timestamp", newSigner(s.t, "ecdsa", nil))
			s.publish("root", "timestamp")
			s.tamper("timestamp", func(file object) { signatures(file)[0].(object)["sig"] = bogusSignature })
			d.refresh(0)
			s.publish("timestamp")
			s.tamper("timestamp", func(file object) { signatures(file)[0].(object)["sig"] = "" })
			d.refresh(0)
			d.want(3, d.version("timestamp"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulator(t)
			tell(s, start(s))
		})
	}
}

func TestKeytypeAndScheme(t *testing.T) {
	for _, keytype := range []string{"rsa", "ecdsa", "ed25519"} {
		t.Run(keytype, func(t *testing.T) {
			s := newSimulator(t)
			d := start(s)
			k, other := newSigner(t, keytype, nil), newSigner(t, keytype, nil)
			s.addKey("root", k)
			s.role("root")["threshold"] = 2
			s.publish("root")
			d.refresh(0)
			d.want(2, d.version("root"))
			s.publish("root")
			s.tamper("root", func(file object) {
				signatures(file)[1].(object)["sig"] = hex.EncodeToString(other.sign([]byte("something else")))
			})
			d.refresh(1)
			d.want(2, d.version("root"))
		})
	}
}

// rotation is one version of a role: who is listed, how many must sign, who does.
type rotation struct {
	keys      []int
	threshold int
	signs     []int
}

func TestRootRotation(t *testing.T) {
	all := []int{0, 1, 2, 3, 4}
	moved := []int{0, 1, 3, 4, 5}
	for name, c := range map[string]struct {
		good     bool
		versions []rotation
	}{
		"1-of-1-key-rotation":                                       {true, []rotation{{[]int{1}, 1, []int{1}}, {[]int{2}, 1, []int{2, 1}}, {[]int{2}, 1, []int{2}}}},
		"1-of-1-key-rotation-unused-signatures":                     {true, []rotation{{[]int{1}, 1, []int{3, 1, 4}}, {[]int{2}, 1, []int{3, 2, 1, 4}}, {[]int{2}, 1, []int{3, 2, 4}}}},
		"3-of-5-sign-with-different-keycombos":                      {true, []rotation{{all, 3, []int{0, 2, 4}}, {all, 3, []int{0, 4, 1}}, {all, 3, []int{0, 1, 3}}, {all, 3, []int{0, 1, 3}}}},
		"3-of-5-one-key-rotated":                                    {true, []rotation{{all, 3, []int{0, 2, 4}}, {moved, 3, []int{0, 4, 1}}}},
		"3-of-5-one-key-rotated-with-intermediate-step":             {true, []rotation{{all, 3, []int{0, 2, 4}}, {moved, 3, []int{0, 2, 4, 5}}, {moved, 3, []int{0, 4, 5}}}},
		"3-of-5-all-keys-rotated-with-intermediate-step":            {true, []rotation{{all, 3, []int{0, 2, 4}}, {[]int{5, 6, 7, 8, 9}, 3, []int{0, 2, 4, 5, 6, 7}}, {[]int{5, 6, 7, 8, 9}, 3, []int{5, 6, 7}}}},
		"1-of-3-threshold-increase-to-2-of-3":                       {true, []rotation{{[]int{1, 2, 3}, 1, []int{1}}, {[]int{1, 2, 3}, 2, []int{1, 2}}}},
		"2-of-3-threshold-decrease-to-1-of-3":                       {true, []rotation{{[]int{1, 2, 3}, 2, []int{1, 2}}, {[]int{1, 2, 3}, 1, []int{1, 2}}, {[]int{1, 2, 3}, 1, []int{1}}}},
		"1-of-2-threshold-increase-to-2-of-2":                       {true, []rotation{{[]int{1}, 1, []int{1}}, {[]int{1, 2}, 2, []int{1, 2}}}},
		"1-of-1-not-signed-with-old-key":                            {false, []rotation{{[]int{1}, 1, []int{1}}, {[]int{2}, 1, []int{2, 3, 4}}}},
		"1-of-1-not-signed-with-new-key":                            {false, []rotation{{[]int{1}, 1, []int{1}}, {[]int{2}, 1, []int{1, 3, 4}}}},
		"3-of-5-not-signed-with-3-new-keys":                         {false, []rotation{{all, 3, []int{0, 2, 4}}, {moved, 3, []int{0, 2, 4}}}},
		"3-of-5-not-signed-with-3-old-keys":                         {false, []rotation{{all, 3, []int{0, 2, 4}}, {moved, 3, []int{0, 4, 5}}}},
		"1-of-3-threshold-bump-to-2-of-3-new-threshold-not-reached": {false, []rotation{{[]int{1, 2, 3}, 1, []int{1}}, {[]int{1, 2, 3}, 2, []int{2}}}},
		"2-of-3-threshold-decr-to-1-of-3-old-threshold-not-reached": {false, []rotation{{[]int{1, 2, 3}, 2, []int{1, 2}}, {[]int{1, 2, 3}, 1, []int{1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulator(t)
			keys := tenKeys(t)
			s.forget("root", 0)
			for i, v := range c.versions {
				s.apply("root", v, keys)
				s.signed["root"]["version"] = i // publish counts up
				s.published["root"] = append([][]byte{}, s.published["root"]...)
				s.publish("root")
			}
			d := start(s)
			last := len(s.published["root"])
			if c.good {
				d.refresh(0)
			} else {
				d.refresh(1)
				last--
			}
			d.same("root", s.published["root"][last-1])
		})
	}
}

func tenKeys(t *testing.T) (keys []*signer) {
	for range 10 {
		keys = append(keys, newSigner(t, "ed25519", nil))
	}
	return keys
}

func (s *simulator) apply(role string, v rotation, keys []*signer) {
	s.role(role)["keyids"], s.keys[role] = []string{}, nil
	s.role(role)["threshold"] = v.threshold
	for _, i := range v.keys {
		s.listKey(role, keys[i])
	}
	for _, i := range v.signs {
		s.keys[role] = append(s.keys[role], keys[i])
	}
}

func TestNonRootRotations(t *testing.T) {
	all := []int{0, 1, 2, 3, 4}
	moved := []int{0, 1, 3, 4, 5}
	for name, c := range map[string]struct {
		good bool
		rotation
	}{
		"1-of-1-key-rotation":                            {true, rotation{[]int{2}, 1, []int{2}}},
		"1-of-1-key-rotation-unused-signatures":          {true, rotation{[]int{1}, 1, []int{3, 1, 4}}},
		"1-of-1-not-signed-with-new-key":                 {false, rotation{[]int{2}, 1, []int{1, 3, 4}}},
		"3-of-5-wrong-not-signed-with-3-expected-keys":   {false, rotation{moved, 3, []int{0, 2, 4}}},
		"3-of-5-signature-missing-threshold-not-reached": {false, rotation{moved, 3, []int{0, 4}}},
		"3-of-5-sign-first-combo":                        {true, rotation{all, 3, []int{0, 2, 4}}},
		"3-of-5-sign-second-combo":                       {true, rotation{all, 3, []int{0, 4, 1}}},
		"3-of-5-sign-third-combo":                        {true, rotation{all, 3, []int{0, 1, 3}}},
		"3-of-5-sign-fourth-combo":                       {true, rotation{all, 3, []int{1, 2, 3}}},
		"3-of-5-sign-fifth-combo":                        {true, rotation{all, 3, []int{2, 3, 4}}},
	} {
		for _, role := range []string{"timestamp", "snapshot", "targets"} {
			t.Run(name+"/"+role, func(t *testing.T) {
				s := newSimulator(t)
				d := start(s)
				s.apply(role, c.rotation, tenKeys(t))
				s.publish("root", "targets", "snapshot", "timestamp")
				if c.good {
					d.refresh(0)
					d.same(role, s.published[role][1])
				} else {
					d.refresh(1)
					d.want(0, d.version(role))
				}
			})
		}
	}
}

func TestDownload(t *testing.T) {
	for name, tell := range map[string]func(s *simulator, d *device){
		"client_downloads_expected_file": func(s *simulator, d *device) {
			s.addArtifact("targets", "target_file.txt", "content")
			s.publish("targets", "snapshot", "timestamp")
			d.refresh(0)
			d.holds()
			d.download(0, "target_file.txt")
			d.holds("content")
		},
		"client_downloads_expected_file_in_sub_dir": func(s *simulator, d *device) {
			s.addArtifact("targets", "path/to/a/target_file.txt", "content")
			s.publish("targets", "snapshot", "timestamp")
			d.download(0, "path/to/a/target_file.txt")
			d.holds("content")
		},
		"file_names_are_quoted": func(s *simulator, d *device) {
			s.addArtifact("targets", "../a b?c#d%2F", "content")
			s.publish("targets", "snapshot", "timestamp")
			d.download(1, "../a b?c#d%2F") // a path with dots leaves for nowhere
			s.addArtifact("targets", "x/a b?c#d%2F", "content")
			s.publish("targets", "snapshot", "timestamp")
			d.download(0, "x/a b?c#d%2F")
			d.holds("content")
		},
		"repository_substitutes_target_file": func(s *simulator, d *device) {
			s.addArtifact("targets", "one", "first content")
			s.addArtifact("targets", "two", "second content")
			s.publish("targets", "snapshot", "timestamp")
			d.download(0, "one")
			s.artifacts["one"].data, s.artifacts["two"].data = []byte("malicious"), []byte("malicious")
			d.download(0, "one")
			d.holds("first content")
			d.download(1, "two")
			d.holds("first content")
		},
		"multiple_changes_to_target": func(s *simulator, d *device) {
			s.addArtifact("targets", "one", "first")
			s.publish("targets", "snapshot", "timestamp")
			d.download(0, "one")
			var more []string
			for i := range 11 {
				content := fmt.Sprintf("modified %d", i)
				s.addArtifact("targets", "one", content)
				s.addArtifact("targets", fmt.Sprintf("new-%d", i), fmt.Sprintf("new %d", i))
				s.publish("targets", "snapshot", "timestamp")
				if i%5 != 0 {
					continue
				}
				more = append(more, fmt.Sprintf("new %d", i))
				d.download(0, "one", fmt.Sprintf("new-%d", i))
				d.holds(append([]string{content}, more...)...)
				s.artifacts["one"].data = []byte("malicious")
				s.publish("targets", "snapshot", "timestamp")
				d.run(0, "download")
				d.holds(append([]string{content}, more...)...)
			}
		},
		"artifact_cache": func(s *simulator, d *device) {
			s.addArtifact("targets", "one", "content")
			s.publish("targets", "snapshot", "timestamp")
			d.download(0, "one")
			d.download(0, "one")
			equal(s.t, "loaded", s.loaded, []string{"one"})
		},
		"unknown_hash_algorithm": func(s *simulator, d *device) {
			s.addArtifact("targets", "one", "content")
			hashes := s.artifacts["one"].hashes
			hashes["unknown-hash"] = hashes["sha256"]
			delete(hashes, "sha256")
			s.publish("targets", "snapshot", "timestamp")
			d.download(1, "one")
			d.holds()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulator(t)
			tell(s, start(s))
		})
	}
	for _, algorithms := range [][]string{{"sha256"}, {"sha512"}, {"sha256", "sha512"}} {
		t.Run(fmt.Sprint("hashes ", algorithms), func(t *testing.T) {
			s := newSimulator(t)
			s.addArtifact("targets", "one", "content", algorithms...)
			s.publish("targets", "snapshot", "timestamp")
			d := start(s)
			d.download(0, "one")
			d.holds("content")
			equal(t, "loaded", s.loaded, []string{"one"})
		})
	}
}

func TestUnusualRoleNames(t *testing.T) {
	for role, quoted := range map[string]string{"?": "%3F", "#": "%23", "/delegatedrole": "%2Fdelegatedrole", "../delegatedrole": "..%2Fdelegatedrole", ".": ".", "..": ".."} {
		t.Run(role, func(t *testing.T) {
			s := newSimulator(t)
			s.delegate("targets", role, false, "*")
			s.publish(role, "targets", "snapshot", "timestamp")
			d := start(s)
			d.download(1, "nonexistent target")
			s.lastAsked(quoted + " 1")
			d.trusts(sorted(quoted+" 1", "root 1", "snapshot 2", "targets 2", "timestamp 2")...)
		})
	}
}

func TestFileIsNotJSON(t *testing.T) {
	for _, role := range []string{"root", "timestamp", "snapshot", "targets"} {
		for _, junk := range []string{"", "null", "{", `{"signed":null,"signatures":null}`} {
			s := newSimulator(t)
			d := start(s)
			if role == "root" {
				s.published["root"] = append(s.published["root"], []byte(junk))
			} else {
				s.published[role] = [][]byte{[]byte(junk)}
			}
			d.refresh(1)
			if !json.Valid(s.published["root"][0]) {
				t.Fatal("the world is broken")
			}
		}
	}
}
