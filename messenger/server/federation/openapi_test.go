package federation

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var variable = regexp.MustCompile(`\{(\w+)\}`)

// openapi.json and the handlers say the same, both ways; what its bodies are called is in the file for clients.
func TestOpenAPIAndHandlersAgree(t *testing.T) {
	var d struct {
		Paths map[string]map[string]struct {
			Summary    string
			Parameters []struct{ Name string }
			Body       any `json:"requestBody"`
			Responses  map[string]any
		}
	}
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for path, operations := range d.Paths {
		for method := range operations {
			written[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, r := range (&inbound{}).routes() {
		name := r.Method + " " + r.Path
		op := d.Paths[r.Path][strings.ToLower(r.Method)]
		if !written[name] || op.Summary == "" || op.Responses["default"] == nil {
			t.Errorf("%s: not in openapi.json, or without summary or default response", name)
		}
		delete(written, name)
		if (op.Body != nil) != (r.Body > 0) {
			t.Errorf("%s: openapi.json has a body: %v, the handler takes %d bytes", name, op.Body != nil, r.Body)
		}
		var want, got []string
		for _, m := range variable.FindAllStringSubmatch(r.Path, -1) {
			want = append(want, m[1])
		}
		for _, p := range op.Parameters {
			got = append(got, p.Name)
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: path parameters %v, want %v", name, got, want)
		}
	}
	for name := range written {
		t.Errorf("%s is in openapi.json and nobody handles it", name)
	}
	clients, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\.\./openapi\.json#/components/schemas/(\w+)"`).FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(string(clients), `"`+m[1]+`": {`) {
			t.Errorf("$ref to %s, which is not in the clients' openapi.json", m[1])
		}
	}
}
