// Package pages checks the pages of a bbolt file without bbolt. That takes what a page
// says of places and lengths as it is: where it leads out of the file, there are pointers
// to memory of something else, over which the program ends, and no guard helps.
//
// What does not live here: whether what stands in the pages makes sense, which who has
// the file finds out.
package pages
