-- What pandoc's Typst writer leaves out: texts instead of pictures and formulas,
-- and the book's own blocks, which book.typ draws.

-- The page holds so many characters of code; what is longer ends in an arrow.
local LONGEST_LINE = 88
local ARROW = "↪ "
local LONGEST_WHOLE_TABLE = 16 -- rows

local function quoted(text)
  return '"' .. text:gsub('[\\"]', '\\%0'):gsub("\n", "\\n") .. '"'
end

local function raw(text)
  return pandoc.RawInline("typst", text)
end

-- On lines of its own: Typst measures how far a list is indented.
local function written(blocks)
  return "[\n" .. pandoc.write(pandoc.Pandoc(blocks), "typst-smart") .. "\n]"
end

local function labelled(identifier)
  return identifier ~= "" and " <" .. identifier .. ">" or ""
end

-- Break a line at the last space that fits, and say so.
local function folded(line)
  local pieces, length = {}, LONGEST_LINE
  while pandoc.text.len(line) > length do
    local head = pandoc.text.sub(line, 1, length)
    local cut = head:match("^.*%S() ") or #head + 1
    table.insert(pieces, line:sub(1, cut - 1))
    line = line:sub(cut):gsub("^ ", "")
    length = LONGEST_LINE - pandoc.text.len(ARROW)
  end
  table.insert(pieces, line)
  return table.concat(pieces, "\n" .. ARROW)
end

function CodeBlock(code)
  code.text = code.text:gsub("[^\n]+", folded)
  if code.classes:includes("output") then
    return pandoc.RawBlock("typst", "#output(" .. quoted(code.text) .. ")")
  end
  return code
end

function Math(math)
  return { raw("#spoken(" .. quoted(math.text) .. ")["), math, raw("]") }
end

function Image(image)
  local width = image.attributes.width and image.attributes.width:match("^%d+")
  return raw(
    string.format(
      "#picture(%s, alt: %s, width: %s)",
      quoted("/" .. image.src),
      quoted(pandoc.utils.stringify(image.caption)),
      width and width * 0.75 .. "pt" or "auto"
    )
  )
end

-- The site has numbered its figures; Typst must not do it again.
function Figure(figure)
  local caption = #figure.caption.long > 0 and written(figure.caption.long) or "none"
  return pandoc.RawBlock(
    "typst",
    string.format("#figure(%s, caption: %s)", written(figure.content), caption)
      .. labelled(figure.identifier)
  )
end

-- A term and its text begin on one line.
function DefinitionList(list)
  local items = {}
  for _, item in ipairs(list.content) do
    local term, text = written(pandoc.Plain(item[1])), written(item[2][1])
    table.insert(items, string.format("terms.item(%s, %s)", term, text))
  end
  return pandoc.RawBlock("typst", "#terms(" .. table.concat(items, ",\n") .. ")")
end

-- Each class is a function of book.typ; the more telling one of two draws the block.
function Div(div)
  local name = div.classes:find_if(function(class)
    return class ~= "admonition"
  end) or div.classes[1]
  if not name then
    return div
  end
  div.content:insert(1, pandoc.RawBlock("typst", "#" .. name .. "["))
  div.content:insert(pandoc.RawBlock("typst", "]" .. labelled(div.identifier)))
  return div.content
end

-- A row's first cell is its heading where the table says so, which the writer forgets.
-- A short table stays on one page.
function Table(contents)
  local num_rows = 0
  for _, body in ipairs(contents.bodies) do
    num_rows = num_rows + #body.body
    for _, row in ipairs(body.row_head_columns > 0 and body.body or {}) do
      row.cells[1].contents = row.cells[1].contents:walk({
        Plain = function(plain)
          return pandoc.Plain({ pandoc.Strong(plain.content) })
        end,
      })
    end
  end
  local start = string.format(
    "#sheet(has-head: %s, breakable: %s)[",
    #contents.head.rows > 0,
    num_rows > LONGEST_WHOLE_TABLE
  )
  return { pandoc.RawBlock("typst", start), contents, pandoc.RawBlock("typst", "]") }
end
