package main

import (
	"slices"
	"time"
)

// percentile returns the smallest value that at least p of 100 values do not exceed (nearest rank). It sorts the values. 0 without any.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := int(float64(len(values))*p/100 + 0.999999999)
	return values[min(max(rank, 1), len(values))-1]
}

// spread is what several rounds of one measurement gave.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of at least one value. The median of an even number is the mean of the middle two.
func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}
