package main

import (
	"math"
	"slices"
)

// median of values; NaN of none.
func median(values []float64) float64 {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// rounds are one system's values of a workload: a row for each round, a column for
// each of the workload's.
type rounds [][]float64

// medians are those of the columns.
func (r rounds) medians(columns int) []float64 {
	result := make([]float64, columns)
	for i := range result {
		result[i] = median(r.column(i))
	}
	return result
}

func (r rounds) column(i int) []float64 {
	values := make([]float64, len(r))
	for n, row := range r {
		values[n] = row[i]
	}
	return values
}

// ratio is the median of the ratios of each round, so that what changes on the
// machine from round to round counts in neither system's favour; NaN if there is none.
func ratio(of, to rounds, column int) float64 {
	a, b := of.column(column), to.column(column)
	var ratios []float64
	for n := range min(len(a), len(b)) {
		if b[n] != 0 {
			ratios = append(ratios, a[n]/b[n])
		}
	}
	return median(ratios)
}
