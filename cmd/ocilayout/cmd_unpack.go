package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/mutate/rootfs"
)

func unpackCommand() *command {
	var o rootfs.UnpackOptions
	var platform string
	var maps ordered
	return &command{
		name:  "unpack",
		args:  "REF DIR",
		short: "write the files of an image into a directory",
		long: "DIR must be empty or not be there. It becomes the root of the image's filesystem, with owners, modes, times, hard links, devices and extended attributes, " +
			"or with --bundle a directory with these in rootfs, and beside it the config.json that OCI runtimes want and what umoci needs to repack it. " +
			"What repack needs lies beside DIR, in DIR.ocilayout.\n\n" +
			"Without root use --rootless: all files belong to the caller then, and repack gives them back to their owners.",
		examples: []example{
			{"Look into an image.", "ocilayout unpack --rootless images:app root"},
			{"Run it.", "ocilayout unpack --bundle images:app app && runc run -b app app1"},
			{"Its root is user 100000 here.", "ocilayout unpack images:app root --uid-map 0:100000:65536 --gid-map 0:100000:65536"},
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "rootless", Destination: &o.Rootless, Usage: "give all files to the caller; keep their owners in an extended attribute, and empty files in place of devices"},
			maps.flag("uid-map", "map users, as `CONTAINER:HOST[:SIZE]`"),
			maps.flag("gid-map", "map groups, as `CONTAINER:HOST[:SIZE]`"),
			&cli.BoolFlag{Name: "keep-dirlinks", Destination: &o.KeepDirlinks, Usage: "keep a link to a directory where a higher layer has a directory, and put its files behind the link"},
			&cli.BoolFlag{Name: "bundle", Destination: &o.Bundle, Usage: "make an OCI runtime bundle"},
			&cli.StringFlag{Name: "platform", Destination: &platform, Usage: platformUsage},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if args[1] == "-" {
				return nil, content.Errorf(content.ErrInvalid, "standard output takes no directory: export --to rootfs writes a tar there")
			}
			if o.UIDMap, err = idMaps(maps.of("uid-map")); err != nil {
				return nil, err
			}
			if o.GIDMap, err = idMaps(maps.of("gid-map")); err != nil {
				return nil, err
			}
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(r, &err)
			image, err := e.chosenImage(ctx, r, ref, platform)
			if err != nil {
				return nil, err
			}
			o.NoSync, o.Limits, o.Warn = e.global.noSync, r.Limits(), func(err error) { e.warnf("%v", err) }
			done, err := rootfs.Unpack(ctx, r, image, args[1], o)
			if err != nil {
				return nil, err
			}
			return unpacked{done}, nil
		},
	}
}
