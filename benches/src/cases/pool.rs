use buttress::pool::normalize;

use super::nothing;
use crate::{Case, drive::repeat};

pub(super) fn cases() -> Vec<Case> {
    vec![
        normalized("pool, a statement of 60 bytes without literals", PLAIN),
        normalized("pool, a statement of 460 bytes with literals", LONG),
    ]
}

const PLAIN: &str = "SELECT id, title, price FROM books WHERE author = $1 LIMIT $2";
const LONG: &str = "SELECT o.id, o.total, c.name, c.email -- for the desk
  FROM orders AS o
  JOIN customers AS c ON c.id = o.customer_id
  LEFT JOIN lines AS l ON l.order_id = o.id
 WHERE c.email = 'ada@example.org' AND o.placed >= '2026-11-01' AND o.placed < '2026-12-01'
   AND o.total > 19.99 AND o.state IN ('paid', 'sent', 'it''s late')
   AND l.product = ANY($1) /* whichever */
 GROUP BY o.id, c.name, c.email
HAVING count(l.*) > 2
 ORDER BY o.placed DESC LIMIT 50 OFFSET 100";

/// As it is logged, where it was slow.
fn normalized(name: &'static str, sql: &'static str) -> Case {
    Case::new(name, nothing(), move || Ok(repeat(move || normalize(sql))))
}
