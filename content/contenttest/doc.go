// Package contenttest holds any store to what the interfaces of package content
// promise. A store's own tests call [Fetcher] with a store that holds given blobs,
// and [Store] with one that is empty and can be written; both run as subtests.
package contenttest
