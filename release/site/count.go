package site

import "github.com/countersign-project/countersign/release/record"

func signers(list []record.Auditor) int {
	n := 0
	for _, a := range list {
		if a.Signs {
			n++
		}
	}
	return n
}

func seenBy(l *record.Log) int {
	n := 0
	for _, w := range l.Witnesses {
		if !w.Time.IsZero() {
			n++
		}
	}
	return n
}
