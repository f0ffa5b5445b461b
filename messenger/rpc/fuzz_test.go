package rpc

import (
	"encoding/json"
	"testing"
)

// Parameters of any form are read or refused; nothing else.
func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"recipient":"+1","targetTimestamp":5,"attachments":["x"]}`))
	f.Add([]byte(`{"recipient":["+1"],"targetTimestamp":[5,6],"groupId":"AAAAAAAAAAAAAAAAAAAAAA=="}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, read := range []func(json.RawMessage) error{
			func(r json.RawMessage) error { _, err := decode[sendParams](r); return err },
			func(r json.RawMessage) error { _, err := decode[aboutMessage](r); return err },
			func(r json.RawMessage) error { _, err := decode[groupParams](r); return err },
			func(r json.RawMessage) error { _, err := decode[blocking](r); return err },
		} {
			if err := read(raw); err != nil && errorOf(err).Code != codeParams {
				t.Errorf("%s: %v", raw, err)
			}
		}
		if p, err := decode[target](raw); err == nil && p.GroupID != "" {
			if id, err := groupConversation(p.GroupID); err == nil && groupID(id) == "" {
				t.Errorf("%q is a group, and %q is not", p.GroupID, id)
			}
		}
	})
}
