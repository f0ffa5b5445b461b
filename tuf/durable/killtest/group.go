//go:build linux

package killtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// GroupLives says whether a process group has a process that is more than a zombie: one whose threads have all ended.
func GroupLives(group int) bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		const state, pgrp, threads = 0, 2, 17 // proc(5), counted from behind the name
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) > threads && fields[pgrp] == strconv.Itoa(group) && (fields[state] != "Z" || fields[threads] > "1") {
			return true
		}
	}
	return false
}
