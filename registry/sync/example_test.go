package sync_test

import (
	"fmt"

	"github.com/ocilayout/ocilayout/registry/sync"
)

// Which tags an entry takes, and what would be done about one of them.
func Example() {
	config, err := sync.ParseConfig("mirror.yaml", []byte(`
sync:
- source: docker.io/library/alpine
  target: ocidir://mirror
  type: repository
  tags: {allow: ['3\.\d+']}
  select: {limit: 2}
`), sync.System())
	if err != nil {
		fmt.Println(err)
		return
	}
	entry := config.Sync[0]
	fmt.Println(entry.Choose(entry.Filter([]string{"3.9", "3.19", "3.20", "3.20.1", "edge"}), nil))

	have := sync.Seen{Digest: "sha256:aaaa"}
	from := sync.Seen{Digest: "sha256:bbbb", MediaType: "application/vnd.oci.image.index.v1+json"}
	steps := sync.Plan([]sync.Job{{Entry: entry, From: from, Have: have}}, sync.Mode{})
	fmt.Println(steps[0].Action, steps[0].Reason)
	// Output:
	// [3.19 3.20]
	// copy moved
}
