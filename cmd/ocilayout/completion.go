package main

import (
	"fmt"
	"strings"
)

// completions makes the script of each shell. All complete the command's name,
// then flags of the command and global ones, and files for everything else.
var completions = map[string]func([]*command) string{
	"bash":       bashCompletion,
	"zsh":        zshCompletion,
	"fish":       fishCompletion,
	"powershell": powershellCompletion,
}

// families is the table with commands of two words put together by their first,
// which is what a shell completes; such a row has the flags of all.
func families(table []*command) []*command {
	var rows []*command
	byName := map[string]*command{}
	for _, c := range table {
		family, second, ok := strings.Cut(c.name, " ")
		row := byName[family]
		switch {
		case !ok:
			rows = append(rows, c)
			continue
		case row == nil:
			row = &command{name: family, short: second + ": " + c.short, flags: c.flags}
			byName[family] = row
			rows = append(rows, row)
			continue
		}
		row.short += "; " + second + ": " + c.short
		known := spellings(row.flags)
		for _, f := range c.flags {
			if _, ok := known[f.Names()[0]]; !ok {
				row.flags = append(row.flags[:len(row.flags):len(row.flags)], f)
			}
		}
	}
	return rows
}

// flagWords are the long flags of c and the global ones; of no command if nil.
func flagWords(c *command) string {
	docs := describeFlags(new(env).globalFlags())
	if c != nil {
		docs = append(describeFlags(c.flags), docs...)
	}
	words := make([]string, len(docs))
	for i, d := range docs {
		words[i] = "--" + d.long
	}
	return strings.Join(words, " ")
}

func commandWords(table []*command) string {
	words := make([]string, len(table))
	for i, c := range table {
		words[i] = c.name
	}
	return strings.Join(words, " ")
}

func bashCompletion(table []*command) string {
	var b strings.Builder
	b.WriteString("# bash completion of ocilayout\n_ocilayout() {\n")
	b.WriteString("  local current=${COMP_WORDS[COMP_CWORD]} command= word words\n")
	b.WriteString("  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $word in\n")
	fmt.Fprintf(&b, "    %s) command=$word; break ;;\n    esac\n  done\n", strings.ReplaceAll(commandWords(table), " ", "|"))
	b.WriteString("  case $command in\n")
	for _, c := range table {
		fmt.Fprintf(&b, "  %s) words='%s' ;;\n", c.name, flagWords(c))
	}
	fmt.Fprintf(&b, "  *) words='%s %s' ;;\n  esac\n", commandWords(table), flagWords(nil))
	b.WriteString("  COMPREPLY=()\n  if [[ -z $command || $current == -* ]]; then\n")
	b.WriteString("    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n  fi\n}\n")
	b.WriteString("complete -o default -F _ocilayout ocilayout\n")
	return b.String()
}

func zshCompletion(table []*command) string {
	var b strings.Builder
	b.WriteString("#compdef ocilayout\n# zsh completion of ocilayout\n_ocilayout() {\n")
	b.WriteString("  local command= word\n  for word in ${words[2,CURRENT-1]}; do\n    case $word in\n")
	fmt.Fprintf(&b, "    %s) command=$word; break ;;\n    esac\n  done\n", strings.ReplaceAll(commandWords(table), " ", "|"))
	b.WriteString("  if [[ -n $command && $PREFIX != -* ]]; then\n    _files\n    return\n  fi\n  case $command in\n")
	for _, c := range table {
		fmt.Fprintf(&b, "  %s) compadd -- %s ;;\n", c.name, flagWords(c))
	}
	fmt.Fprintf(&b, "  *)\n    local -a commands=(\n")
	for _, c := range table {
		fmt.Fprintf(&b, "      '%s:%s'\n", c.name, strings.ReplaceAll(c.short, "'", `'\''`))
	}
	fmt.Fprintf(&b, "    )\n    _describe command commands\n    compadd -- %s ;;\n  esac\n}\n", flagWords(nil))
	b.WriteString("if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _ocilayout \"$@\"\nelse\n  compdef _ocilayout ocilayout\nfi\n")
	return b.String()
}

func fishCompletion(table []*command) string {
	var b strings.Builder
	b.WriteString("# fish completion of ocilayout\n")
	line := func(condition string, d flagDoc) {
		fmt.Fprintf(&b, "complete -c ocilayout%s -l %s", condition, d.long)
		if d.short != "" {
			b.WriteString(" -s " + d.short)
		}
		if d.value != "" {
			b.WriteString(" -r")
		}
		b.WriteString(" -d " + fishQuote(d.usage) + "\n")
	}
	for _, d := range describeFlags(new(env).globalFlags()) {
		line("", d)
	}
	for _, c := range table {
		fmt.Fprintf(&b, "complete -c ocilayout -n __fish_use_subcommand -f -a %s -d %s\n", c.name, fishQuote(c.short))
		for _, d := range describeFlags(c.flags) {
			line(" -n '__fish_seen_subcommand_from "+c.name+"'", d)
		}
	}
	return b.String()
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

func powershellCompletion(table []*command) string {
	var b strings.Builder
	b.WriteString("# PowerShell completion of ocilayout\n")
	b.WriteString("Register-ArgumentCompleter -Native -CommandName ocilayout -ScriptBlock {\n")
	b.WriteString("  param($word, $ast, $position)\n  $flags = @{\n")
	for _, c := range table {
		fmt.Fprintf(&b, "    '%s' = '%s'\n", c.name, flagWords(c))
	}
	fmt.Fprintf(&b, "  }\n  $words = '%s %s'\n", commandWords(table), flagWords(nil))
	b.WriteString("  $command = $ast.CommandElements | Select-Object -Skip 1 |\n")
	b.WriteString("    ForEach-Object { $_.ToString() } |\n")
	b.WriteString("    Where-Object { $flags.ContainsKey($_) -and $_ -ne $word } | Select-Object -First 1\n")
	b.WriteString("  if ($command) { $words = $flags[$command] }\n")
	b.WriteString("  $words -split ' ' | Where-Object { $_ -like \"$word*\" } |\n")
	b.WriteString("    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }\n}\n")
	return b.String()
}
