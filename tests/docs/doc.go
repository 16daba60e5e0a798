// Package docs holds the test that what the documents name is there.
package docs
