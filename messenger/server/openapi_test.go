package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
)

// apiTypes are the bodies that openapi.json has schemas of, by the schema's name.
func apiTypes() map[string]any {
	all := []any{
		api.AccountAttributes{}, api.Capabilities{}, api.GCM{}, api.APN{}, api.Registration{}, api.Registered{}, api.NumberChange{}, api.Username{}, api.Whoami{}, api.Profile{},
		api.Devices{}, api.Device{}, api.DeviceLimit{}, api.VerificationCode{}, api.DeviceID{}, api.Provision{}, api.DeviceList{},
		api.PreKey{}, api.SignedPreKey{}, api.PreKeys{}, api.PreKeysV3{}, api.KeyCount{}, api.KeyCountV3{}, api.Bundles{}, api.Bundle{}, api.BundlesV3{}, api.BundleV3{}, api.PreKeyV1{}, api.PreKeysV1{},
		api.Message{}, api.Messages{}, api.Sent{}, api.Mismatch{}, api.Stale{}, api.Sent2013{}, api.Queued{}, api.Envelope{}, api.Multi{}, api.Recipient{}, api.RecipientDevice{}, api.MultiSent{}, api.MultiMismatch{}, api.RecipientMismatch{},
		api.Attachment{}, api.Location{}, api.Contact{}, api.Tokens{}, api.Contacts{}, api.Error{}, api.Health{}, api.About{},
	}
	m := map[string]any{}
	for _, v := range all {
		m[reflect.TypeOf(v).Name()] = v
	}
	return m
}

// schemaOf says in JSON Schema what encoding/json reads and writes for a type.
func schemaOf(v any) map[string]any {
	properties := map[string]any{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" {
			properties[name] = property(f.Type)
		}
	}
	return map[string]any{"type": "object", "properties": properties}
}

func property(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[api.Bytes]():
		return map[string]any{"type": "string", "format": "byte"}
	case t.Kind() == reflect.Pointer:
		return property(t.Elem())
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": property(t.Elem())}
	case t.Kind() == reflect.Struct:
		return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Uint32:
		return map[string]any{"type": "integer"}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64, t.Kind() == reflect.Uint64:
		return map[string]any{"type": "integer", "format": "int64"}
	}
	panic("internal error: no schema for " + t.String())
}

// document is what the test reads of openapi.json.
type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Summary    string
		Security   *[]map[string][]string
		Parameters []struct{ Name, In string }
		Responses  map[string]any
	}
	Components struct{ Schemas map[string]map[string]any }
}

func readDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openapi, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Fatalf("openapi is %q, want 3.1", d.OpenAPI)
	}
	return d
}

var variable = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// The file and the handlers say the same, both ways: which requests there are, who may send them, and what is variable in their paths.
func TestOpenAPIAndHandlersAgree(t *testing.T) {
	d := readDocument(t)
	written := map[string]bool{}
	for path, operations := range d.Paths {
		for method := range operations {
			written[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, r := range (&Server{}).routes() {
		path := variable.ReplaceAllString(r.Path, "{$1}")
		name := r.Method + " " + path
		if !written[name] {
			t.Errorf("%s is handled and not in openapi.json", name)
			continue
		}
		delete(written, name)
		op := d.Paths[path][strings.ToLower(r.Method)]
		if op.Summary == "" || len(op.Responses) == 0 {
			t.Errorf("%s has no summary or no responses", name)
		}
		if open := op.Security != nil && len(*op.Security) == 0; open != (r.Who == endpoint.Anyone) {
			t.Errorf("%s: openapi.json says open to anybody: %v, the handler's access is %d", name, open, r.Who)
		}
		var want, got []string
		for _, m := range variable.FindAllStringSubmatch(r.Path, -1) {
			want = append(want, m[1])
		}
		for _, p := range op.Parameters {
			if p.In == "path" {
				got = append(got, p.Name)
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: path parameters %v, want %v", name, got, want)
		}
	}
	for name := range written {
		t.Errorf("%s is in openapi.json and nobody handles it", name)
	}
}

// Schemas have the properties, with the types, that the server reads and writes.
func TestOpenAPISchemasAreTheTypes(t *testing.T) {
	d := readDocument(t)
	types := apiTypes()
	for name, v := range types {
		want, _ := json.Marshal(schemaOf(v))
		got, _ := json.Marshal(bare(d.Components.Schemas[name]))
		if string(got) != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	for name := range d.Components.Schemas {
		if _, ok := types[name]; !ok {
			t.Errorf("schema %s is no type of package api", name)
		}
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(string(openapi), -1) {
		used[m[1]] = true
		if _, ok := types[m[1]]; !ok {
			t.Errorf("$ref to %s, which is not there", m[1])
		}
	}
	for name := range types {
		if !used[name] {
			t.Errorf("schema %s is used nowhere", name)
		}
	}
}

// bare drops what is for people.
func bare(schema map[string]any) map[string]any {
	schema = maps.Clone(schema)
	delete(schema, "description")
	if properties, ok := schema["properties"].(map[string]any); ok {
		properties = maps.Clone(properties)
		for k, v := range properties {
			p := maps.Clone(v.(map[string]any))
			delete(p, "description")
			properties[k] = p
		}
		schema["properties"] = properties
	}
	return schema
}

func TestEveryOperationNamesItsErrors(t *testing.T) {
	for path, operations := range readDocument(t).Paths {
		for method, op := range operations {
			for status := range op.Responses {
				if !regexp.MustCompile(`^([1-5]\d\d|default)$`).MatchString(status) {
					t.Errorf("%s %s: response %q", method, path, status)
				}
			}
			if _, ok := op.Responses["default"]; !ok && strings.HasPrefix(path, "/v3/") {
				t.Errorf("%s", fmt.Sprint(method, " ", path, ": no default response, which is api.Error"))
			}
		}
	}
}
