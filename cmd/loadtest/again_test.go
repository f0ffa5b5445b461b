package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two runs that were saved make one table, in the order of one run.
func TestTableOfSavedRuns(t *testing.T) {
	var rows []row
	for i, r := range []row{
		{Work: workIdle, System: "ours", Connections: 10, Round: 1, Values: map[string]float64{perIdle: 8}},
		{Work: workBacklog, System: "ours", Connections: 40, Round: 1, Values: map[string]float64{storeMicros: 70}},
		{Work: workIdle, System: "ours", Connections: 10, Round: 1, Values: map[string]float64{perIdle: 6}},
	} {
		file := filepath.Join(t.TempDir(), "run.json")
		b, err := json.Marshal(result{Rows: []row{r}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readResult(file)
		if err != nil || len(got.Rows) != 1 {
			t.Fatalf("run %d: %+v, %v", i, got, err)
		}
		rows = append(rows, got.Rows...)
	}
	table := compareTable(inOrder(rows))
	backlog, idle := strings.Index(table, "| backlogs of 1,000, 40 | "+storeMicros+" | 70.0 |"), strings.Index(table, "| idle, 10 | "+perIdle+" | 7.00 (6.00) |")
	if backlog < 0 || idle < backlog {
		t.Errorf("%s", table)
	}
	file := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readResult(file); err == nil || !strings.Contains(err.Error(), "bad.json: not the JSON of this tool") {
		t.Error(err)
	}
}
