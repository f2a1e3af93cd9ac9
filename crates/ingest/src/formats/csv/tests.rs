use super::*;

fn table(text: &str) -> String {
    converted("csv", text).unwrap().markdown
}

#[test]
fn records_name_their_columns_and_keep_their_lines() {
    let text = "\u{feff}City,Inhabitants,Note\r\nVienna,2000000,\"On the Danube,\nwith \"\"hills\"\"\"\r\n\r\n\nGraz,300000,\r\n";
    let Converted { markdown, places, ends, outline, title, .. } = converted("csv", text).unwrap();
    let expected =
        "City: Vienna\nInhabitants: 2000000\nNote: On the Danube, with \"hills\"\n\nCity: Graz\nInhabitants: 300000\n";
    assert_eq!(markdown, expected);
    assert_eq!((places, ends), (vec![2, 2, 2, 6, 6, 6], vec![3, 3, 3, 6, 6, 6]));
    let outline = outline.unwrap();
    let inner: Vec<&str> = outline.structure.keys().map(|at| &markdown[*at..*at + 4]).collect();
    assert_eq!(inner, ["Inha", "Note", "Inha"]);
    assert_eq!((outline.prose.trim(), title), ("On the Danube, with \"hills\"", None));
}

#[test]
fn a_passage_states_all_lines_of_its_last_record() {
    let text = "City,Note\nVienna,\"On the Danube,\nwith hills\"\n";
    let chunks = crate::split("a.csv".as_ref(), text, crate::SplitOptions::default());
    assert_eq!((chunks.len(), chunks[0].lines), (1, (2, 3)));
}

#[test]
fn delimiters_are_recognized() {
    for text in [
        "a,b\n1,2\n",
        "a;b\n1;2\n",
        "a\tb\n1\t2\n",
        "a|b\n1|2\n",
        "sep=;\na;b\n1;2\n",
        "\"a\",\"b\"\n1,2",
        "a,b\r1,2\r",
    ] {
        assert_eq!(table(text), "a: 1\nb: 2\n", "{text:?}");
    }
    assert_eq!(table("price;note\n1,50;x, y\n2,00;z, a\n"), "price: 1,50\nnote: x, y\n\nprice: 2,00\nnote: z, a\n");
    assert_eq!(table("Date;Price, EUR\n2024-01-01;1,50\n"), "Date: 2024-01-01\nPrice, EUR: 1,50\n");
    assert_eq!(converted("tsv", "a,b,c\td\n1,2,3\t4\n").unwrap().markdown, "a,b,c: 1,2,3\nd: 4\n");
    assert_eq!(converted("csv", "sep=;\na;b\n1;2\n").unwrap().places, [3, 3]);
}

#[test]
fn odd_headers_and_rows_keep_their_values() {
    assert_eq!(table("a,a,,b\n1,2,3,4\n"), "a: 1\na (2): 2\ncolumn 3: 3\nb: 4\n");
    assert_eq!(table("a,b\n1\n1,2,3\n,\n4,5\n"), "a: 1\n\na: 1\nb: 2\ncolumn 3: 3\n\na: 4\nb: 5\n");
    assert_eq!(table("1,2\n3,4\n"), "column 1: 1\ncolumn 2: 2\n\ncolumn 1: 3\ncolumn 2: 4\n");
    assert_eq!(table("a,b,\nx,1\ny,2\n"), "a: x\nb: 1\n\na: y\nb: 2\n");
    assert_eq!(table("a,b\nx,y,\nz,u,\n"), "a: x\nb: y\n\na: z\nb: u\n");
}

#[test]
fn long_names_and_those_without_values_stand_once_before_the_records() {
    let long = "question ".repeat(50);
    let Converted { markdown, places, .. } = converted("csv", &format!("\n{long},b\n1,2\n3,4\n")).unwrap();
    let [whole, rest, blank, first, ..] = *markdown.lines().collect::<Vec<_>>() else { panic!("{markdown}") };
    assert_eq!((whole, rest, blank), (long.trim(), "b", ""));
    assert_eq!(first.chars().count(), LONGEST_NAME + "…: 1".chars().count());
    assert_eq!(places, [2, 2, 3, 3, 3, 4, 4, 4]);
    assert_eq!(table("a,b,\n1,,\n"), "a\nb\n\na: 1\n");
    assert_eq!(table("a,b\n,\n"), "a\nb\n");
}

#[test]
fn a_lone_quote_swallows_no_records() {
    assert_eq!(table("a,b\n1,\"never closed\n2,3\n"), "a: 1\nb: \"never closed\n\na: 2\nb: 3\n");
    let sentences = converted("tsv", "1\teng\t\"Who is there?\n2\teng\tHi").unwrap().markdown;
    let expected =
        "column 1: 1\ncolumn 2: eng\ncolumn 3: \"Who is there?\n\ncolumn 1: 2\ncolumn 2: eng\ncolumn 3: Hi\n";
    assert_eq!(sentences, expected);
    let between = format!("a,b\n1,\"open\n{}2,\"closed\"\n", "x,y\n".repeat(60));
    assert_eq!(table(&between).matches("a: ").count(), 62);
    let letter = format!("a,b\n1,\"{}\"\n", "a line of a letter\n".repeat(60));
    assert_eq!(table(&letter).matches("a: ").count(), 1, "a text of many lines is one field");
    assert_eq!(converted("csv", "\"a,b\"\n\"c,d\"\n"), None, "one column");
}

#[test]
fn records_of_values_are_no_header() {
    for (text, first) in [
        ("Vienna,2000000\nGraz,300000\n", "column 1: Vienna"),
        ("2024-01-31;rain\n2024-02-01;sun\n", "column 1: 2024-01-31"),
        ("a,12:30\nb,12:31\n", "column 1: a"),
        ("a;1.234,56 €\nb;2\n", "column 1: a"),
        ("Country,2019,2020\nAustria,8,9\n", "Country: Austria"),
        ("Sales 2024,b\n1,2\n", "Sales 2024: 1"),
        ("Name,T1,T2\na,1,2\n", "Name: a"),
    ] {
        assert_eq!(table(text).lines().next(), Some(first), "{text:?}");
    }
}

#[test]
fn lines_before_the_header_are_a_paragraph() {
    let text = "Konto;12345\nStand\n\nDatum;Betrag;Text\n31.01.2024;1,50;Brot\n01.02.2024;2,50;Milch\n";
    let Converted { markdown, places, .. } = converted("csv", text).unwrap();
    let expected = "Konto | 12345\nStand\n\nDatum: 31.01.2024\nBetrag: 1,50\nText: Brot\n\n\
        Datum: 01.02.2024\nBetrag: 2,50\nText: Milch\n";
    assert_eq!(markdown, expected);
    assert_eq!(places, [1, 2, 5, 5, 5, 5, 6, 6, 6, 6]);
}

#[test]
fn other_text_is_no_table() {
    for text in
        ["", "a", "a,b", "a,b\n", "Dear all,\nthis is a text\nof lines\n", "one\ntwo\nthree\n", ",\n,\n", "a,b\n"]
    {
        assert_eq!(converted("csv", text), None, "{text:?}");
    }
}

#[test]
fn hostile_tables_take_linear_time_and_space() {
    let wide = |columns| format!("{}\n{}", "n,".repeat(columns), "1,".repeat(columns));
    let names = format!("{}\n{}", format!("{},", "n".repeat(80)).repeat(100), "1,".repeat(100) + "\n").repeat(20);
    let repeated = format!("{}\n{}", format!("{},", "n".repeat(80)).repeat(10), "1,2,3\n".repeat(30_000));
    assert_eq!(converted("csv", &repeated), None, "the names are longer than the values");
    for (text, is_table) in [
        (wide(40_000), false),
        (wide(10_000), true),
        (names, true),
        (",".repeat(300_000), false),
        ("\"".repeat(1_000_000), false),
        ("\n".repeat(1_000_000), false),
        (format!("a,b\n1,{}", "x".repeat(1_000_000)), true),
        ("a,b\n".repeat(50_000), true),
        ("a,\"\n".repeat(10_000), true),
        ("a,\"b\n".repeat(10_001), true),
    ] {
        let begun = std::time::Instant::now();
        let start: String = text.chars().take(5).collect();
        assert_eq!(converted("csv", &text).is_some(), is_table, "{start:?}");
        assert!(begun.elapsed().as_secs() < 10, "{start:?} {:?}", begun.elapsed());
    }
}
