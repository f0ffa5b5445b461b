package repo

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// leafSep joins the steps of a leaf's path: a character that no name of ours contains.
const leafSep = "\x1f"

// leaves flattens "signed" into path → value as JSON. An empty object or array is a leaf too. The delegated
// roles, an array in TUF, go by name, so that a role keeps its path when another joins.
func leaves(b []byte) (map[string]string, error) {
	var outer struct {
		Signed map[string]any `json:"signed"`
	}
	if err := json.Unmarshal(b, &outer); err != nil {
		return nil, refusef("metadata", "%v", err)
	}
	if d, ok := outer.Signed["delegations"].(map[string]any); ok {
		if roles, ok := d["roles"].([]any); ok {
			byName := map[string]any{}
			for i, r := range roles {
				role, _ := r.(map[string]any)
				name, ok := role["name"].(string)
				if _, twice := byName[name]; !ok || twice {
					return nil, refusef("targets", "delegated role %d has no name of its own", i)
				}
				byName[name] = r
			}
			d["roles"] = byName
		}
	}
	if bytes.Contains(b, []byte(`\u001f`)) {
		return nil, refusef("metadata", "has a unit separator in a text")
	}
	out := map[string]string{}
	flatten(out, "", outer.Signed)
	return out, nil
}

func flatten(out map[string]string, at string, v any) {
	under := func(step string) string {
		if at == "" {
			return step
		}
		return at + leafSep + step
	}
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			flatten(out, under(k), child)
		}
		if len(v) == 0 && at != "" {
			out[at] = "{}"
		}
	case []any:
		for i, child := range v {
			flatten(out, under(fmt.Sprint(i)), child)
		}
		if len(v) == 0 {
			out[at] = "[]"
		}
	default:
		text, _ := json.Marshal(v) // what was parsed from JSON always prints
		out[at] = string(text)
	}
}
