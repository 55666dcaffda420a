// Package interop holds the tests that run the ocilayout binary beside the tools
// whose formats it shares: what they write, it must read, and what it writes,
// they must read. Daemons and registries are private to a test and leave nothing
// behind. A test whose client is absent is skipped; with OCILAYOUT_TEST_REQUIRE
// the skip is a failure (see testkit.Client).
package interop
