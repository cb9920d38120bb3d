"""Everything between a result and its reader: sentences, tables, figures, pages."""
