package main

import (
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// listing shows the entries of a layout to people.
func listing(items iter.Seq2[layout.Listing, error], details bool) render.List[layout.Listing] {
	if details {
		header := []string{"NAME", "DIGEST", "SIZE", "CREATED", "REFERRERS", "PLATFORMS"}
		return render.List[layout.Listing]{Header: header, Row: detailedRow, Items: items}
	}
	header := []string{"NAME", "DIGEST", "PLATFORM", "MEDIA TYPE"}
	return render.List[layout.Listing]{Header: header, Row: listingRow, Items: items}
}

func listingRow(l layout.Listing) []string {
	return []string{l.Name, l.Digest.String(), platformText(l.Platform), l.MediaType}
}

func detailedRow(l layout.Listing) []string {
	row := []string{l.Name, l.Digest.String(), render.Size(l.TotalSize), l.Created, strconv.Itoa(l.Referrers), strings.Join(l.Platforms, " ")}
	if l.Absent {
		row[2] = "absent"
	}
	return row
}

func platformText(p *content.Platform) string {
	if p == nil {
		return ""
	}
	return content.FormatPlatform(*p)
}

// closeAfter closes c when the items are through.
func closeAfter[T any](c io.Closer, items iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for item, err := range items {
			if !yield(item, err) {
				_ = c.Close() // only read, and who looks has gone
				return
			}
		}
		if err := c.Close(); err != nil {
			var none T
			yield(none, err)
		}
	}
}
